// Writes script_table.cpp from the Unicode data that Node.js has:  node src/policy/script_table.mjs > src/policy/script_table.cpp
const scripts = `Adlm Aghb Ahom Arab Armi Armn Avst Bali Bamu Bass Batk Beng Bhks Bopo Brah Brai Bugi Buhd Cakm Cans Cari Cham Cher Chrs
Copt Cpmn Cprt Cyrl Deva Diak Dogr Dsrt Dupl Egyp Elba Elym Ethi Geor Glag Gong Gonm Goth Gran Grek Gujr Guru Hang Hani Hano Hatr
Hebr Hira Hluw Hmng Hmnp Hung Ital Java Kali Kana Kawi Khar Khmr Khoj Kits Knda Kthi Lana Laoo Latn Lepc Limb Lina Linb Lisu Lyci
Lydi Mahj Maka Mand Mani Marc Medf Mend Merc Mero Mlym Modi Mong Mroo Mtei Mult Mymr Nagm Nand Narb Nbat Newa Nkoo Nshu Ogam Olck
Orkh Orya Osge Osma Ougr Palm Pauc Perm Phag Phli Phlp Phnx Plrd Prti Rjng Rohg Runr Samr Sarb Saur Sgnw Shaw Shrd Sidd Sind Sinh
Sogd Sogo Sora Soyo Sund Sylo Syrc Tagb Takr Tale Talu Taml Tang Tavt Telu Tfng Tglg Thaa Thai Tibt Tirh Tnsa Toto Ugar Vaii Vith
Wara Wcho Xpeo Xsux Yezi Yiii Zanb`.split(/\s+/);
const recommended = new Set('Arab Armn Beng Bopo Cyrl Deva Ethi Geor Grek Gujr Guru Hang Hani Hebr Hira Kana Khmr Knda Laoo Latn Mlym Mymr Orya Sinh Taml Telu Thaa Thai Tibt'.split(' '));
const known = scripts.filter((s) => {
  try {
    return new RegExp(`\\p{Script_Extensions=${s}}`, 'u');
  } catch {
    return false;
  }
});
const tests = known.map((s) => new RegExp(`\\p{Script_Extensions=${s}}`, 'u'));
const common = /[\p{Script_Extensions=Zyyy}\p{Script_Extensions=Zinh}]/u;
const continues = /\p{XID_Continue}/u;
const sets = ['any', ''];
const ranges = [];
const allowed = [];
for (let code = 0; code < 0x110000; ++code) {
  if (code >= 0xd800 && code < 0xe000) continue;
  const c = String.fromCodePoint(code);
  const of = common.test(c) ? 'any' : known.filter((_, i) => tests[i].test(c)).join(' ');
  let index = sets.indexOf(of);
  if (index < 0) index = sets.push(of) - 1;
  if (ranges.length === 0 || ranges.at(-1)[1] !== index) ranges.push([code, index]);
  const good = continues.test(c) && c.normalize('NFKC') === c && (of === 'any' || of.split(' ').some((s) => recommended.has(s)));
  if (good && allowed.length && allowed.at(-1)[1] === code - 1) allowed.at(-1)[1] = code;
  else if (good) allowed.push([code, code]);
}
const rows = (items) => {
  let out = '';
  let line = '   ';
  for (const item of items) {
    if (line.length + item.length + 2 > 110) {
      out += line + '\n';
      line = '   ';
    }
    line += ` ${item},`;
  }
  return out + line;
};
const hex = (n) => `0x${n.toString(16)}`;
console.log(`// Written by script_table.mjs from Unicode ${process.versions.unicode}: change that, not this.
#include "policy/script_table.h"

namespace entente::policy {

// clang-format off
const std::string_view kScriptSets[] = {
${rows(sets.map((s) => `"${s}"`))}
};
const ScriptRange kScriptRanges[] = {
${rows(ranges.map(([a, b]) => `{${hex(a)}, ${b}}`))}
};
const size_t kScriptRangesCount = sizeof(kScriptRanges) / sizeof(kScriptRanges[0]);
const IdentifierRange kIdentifierRanges[] = {
${rows(allowed.map(([a, b]) => `{${hex(a)}, ${hex(b)}}`))}
};
const size_t kIdentifierRangesCount = sizeof(kIdentifierRanges) / sizeof(kIdentifierRanges[0]);
// clang-format on

}  // namespace entente::policy`);
