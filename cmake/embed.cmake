# cmake -DIN=file;file -DOUT=x.cpp -P embed.cmake: the files as constants, name to bytes, in entente::exchange::assets().
file(WRITE ${OUT}.new "// Made from web/: do not edit.\n#include \"exchange/assets.h\"\nnamespace entente::exchange {\nnamespace {\n")
set(table "")
set(index 0)
foreach(file ${IN})
  get_filename_component(name ${file} NAME)
  file(READ ${file} text)
  # A raw string literal may hold at most 64 KiB in some compilers; the lobby's files are far smaller.
  file(APPEND ${OUT}.new "constexpr char file_${index}[] = R\"~~~~(${text})~~~~\";\n")
  string(APPEND table "  {\"${name}\", {file_${index}, sizeof file_${index} - 1}},\n")
  math(EXPR index "${index}+1")
endforeach()
file(APPEND ${OUT}.new "constexpr Asset table[] = {\n${table}};\n}  // namespace\nstd::span<const Asset> assets() { return table; }\n}  // namespace entente::exchange\n")
file(RENAME ${OUT}.new ${OUT})
