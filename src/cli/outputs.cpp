#include "cli/outputs.h"

#include "data/file.h"

#include <array>
#include <filesystem>

#include <fmt/format.h>

namespace entente::cli {
namespace {

// Options that name a file to read, in whatever verb they stand.
constexpr std::array<std::string_view, 14> kInputs{
    "config",     "exposure", "in",    "key",   "known-originator", "label", "pin", "proof", "sign",
    "originator", "to",       "token", "trust", "remembered"};

// FILE, NAME=FILE, URL=FILE or URL=FILE#KID: a file's name may have either mark in it too.
bool names(const std::string& word, const std::string& file) {
  const auto is = [&](const std::string& one) {
    std::error_code none;
    return std::filesystem::equivalent(one, file, none);
  };
  const size_t equals = word.find('=');
  const std::string behind = equals == std::string::npos ? word : word.substr(equals + 1);
  return is(word) || is(behind) || is(behind.substr(0, behind.rfind('#')));
}

std::vector<std::string> given(const Arguments& arguments, std::string_view option) {
  const auto one = arguments.option(option);
  return one ? std::vector<std::string>{*one} : arguments.all(option);
}

Failure is_input(std::string_view option, const std::string& out, std::string_view input) {
  return fail("cli.usage", fmt::format("the output is {}", input), out,
              fmt::format("give another file after {}",
                          option == "out" ? "-o or --out" : "--" + std::string(option)));
}

}  // namespace

Result<std::string> output_named(const Arguments& arguments, std::string_view option) {
  TRY(const std::string out, arguments.need(option));
  if (out == "-")
    return fail("cli.usage",
                fmt::format("{} - is no file", option == "out" ? "-o" : "--" + std::string(option)), {},
                "give a file: nothing is put out before all of it is there and verified");
  for (const std::string& word : arguments.words)
    if (word != "-" && names(word, out)) return is_input(option, out, "the input");
  for (const std::string_view input : kInputs)
    for (const std::string& word : given(arguments, input))
      if (names(word, out)) return is_input(option, out, fmt::format("what --{} reads", input));
  TRY_VOID(data::NewFile::place(out));
  return out;
}

}  // namespace entente::cli
