#include "base/scratch_for_test.h"
#include "cli/cli_for_test.h"
#include "label/policies_for_test.h"

using namespace entente;
using namespace entente::cli;

TEST_CASE("a document's banner that is lower than one of its portions: said which, and why") {
  const Scratch at;
  at.put("xaa.spif.xml", std::string(label::kXaaSpif));
  at.put("portions.txt", "(EXERCISE U)\n\n  (EXERCISE S//REL XAA, XBB)\n(EXERCISE C//OC/PR)\n");
  const auto roll_up = [&](const std::string& banner, const std::string& more = "") {
    at.put("banner.txt", banner);
    std::vector<std::string> words{"label", "roll-up", at.file("banner.txt"), at.file("portions.txt")};
    if (!more.empty()) words.push_back(at.file(more));
    words.insert(words.end(), {"--policy", at.file("xaa.spif.xml")});
    return told_by(std::move(words));
  };
  const auto says = [](const Told& told, std::string_view words) {
    return told.out.find(words) != std::string::npos;
  };
  const Told good = roll_up("EXERCISE SECRET//ORCON/PROPIN//REL TO XAA, XBB");
  CHECK_MESSAGE(good.exit == kExitOk, good.out);
  CHECK(says(good, "covers all 3 portions"));

  const Told low = roll_up("EXERCISE CONFIDENTIAL//ORCON/PROPIN//REL TO XAA, XBB");
  CHECK(low.exit == kExitRefused);
  CHECK(says(low,
             "portions.txt:3: the banner is lower than this portion: its classification is CONFIDENTIAL, not "
             "SECRET"));
  CHECK_FALSE(says(low, "portions.txt:4"));
  const Told open = roll_up("EXERCISE SECRET//REL TO XAA, XBB, XCC");
  CHECK(open.exit == kExitRefused);
  CHECK(says(open, "portions.txt:3: the banner is lower than this portion: it names XCC (Releasable To)"));
  CHECK(says(open, "portions.txt:4: the banner is lower than this portion: it lacks ORCON (Caveats)"));

  // A label counts as a portion, too.
  label::Label label;
  label.policy = "XAA";
  label.classification = "TOP SECRET";
  label.categories = {{"Programmes", label::CategoryType::restrictive, {"ALPHA"}},
                      {"Caveats", label::CategoryType::restrictive, {"NATIONAL"}}};
  at.put("annex.json", label::to_json(label).dump());
  const Told annex = roll_up("EXERCISE SECRET//ORCON/PROPIN//REL TO XAA, XBB", "annex.json");
  CHECK(annex.exit == kExitRefused);
  CHECK(says(annex, "annex.json: the banner is lower than this portion"));

  const Told unread = roll_up("EXERCISE SECRET", "banner.txt");  // a banner line is no portion mark
  CHECK(unread.exit != kExitOk);
  CHECK(says(unread, "banner.txt:1"));
  at.put("portions.txt", "\n");
  CHECK(roll_up("EXERCISE SECRET").exit == kExitUsage);
}
