// A key that another nation's service gave for one of our people: what it said, and whether it may still be
// shown.
#include "coalition/marking.h"
#include "data/kas_case.h"

#include <algorithm>

namespace entente::data {

// Released there to be viewed, and shown to nobody: that nation is told.
void Kas::give_up(const Case& work, const CaseItem& item) {
  if (parts_.views != nullptr && !item.elsewhere_view.empty())
    parts_.views->give_up(work.service, item.elsewhere_view);
}

namespace {

// What their service says of itself, or of our node's voucher, is no refusal of theirs.
std::optional<KasAnswer> no_answer_yet(const Json& said) {
  const Json* status = said.find("status");
  const int64_t code = status != nullptr && status->is_int() ? status->integer() : 0;
  if (code == 429)
    return connect_error("resource_exhausted",
                         "The other nation's key service is asked for more than it gives; try again later.");
  if (code == 401 || code >= 500)
    return connect_error("unavailable", "The other nation's key service cannot answer now; try again.");
  return std::nullopt;
}

}  // namespace

Kas::Step Kas::forwarded(Forward forward, const Result<Json>& said, const coalition::World&, KasMoment at) {
  std::unique_ptr<Case, FreeCase> work = std::move(forward.rest);
  if (!said) {
    return connect_error("unavailable", "The other nation's key service cannot be asked now; try again.");
  }
  if (std::optional<KasAnswer> later = no_answer_yet(*said)) return *std::move(later);
  work->hear(*said, work->asked.now);
  std::vector<KasLeaf> leaves;
  for (CaseItem& item : work->items) {
    if (!item.wrapped.empty()) leaves.push_back(work->leaf("key.passed", item));
  }
  if (leaves.empty()) return answer(*work, at);
  work->stage = Case::Stage::passing;
  return Write{std::move(leaves), {}, false, std::move(work)};
}

KasAnswer Kas::passed(Case& work, const coalition::World& newest, KasMoment at) {
  std::vector<KasLeaf> withheld;
  for (CaseItem& item : work.items) {
    if (item.wrapped.empty()) continue;
    const bool permitted = work.still_permitted(item, newest, at.now);
    if (permitted && shown(work, item, newest, at)) continue;
    if (!permitted) give_up(work, item);  // what is not shown gives itself up
    item.wrapped.clear();
    withheld.push_back(work.leaf("key.withheld", item));
  }
  KasAnswer out = answer(work, at);
  std::move(withheld.begin(), withheld.end(), std::back_inserter(out.leaves));
  return out;
}

bool Kas::shown(Case& work, CaseItem& item, const coalition::World& newest, KasMoment at) {
  if (!work.request.view) return true;
  View view;
  view.ask = item.ask;
  view.end = item.elsewhere_until;
  view.page = work.page;
  view.there = item.elsewhere_view;
  if (!view.there.empty()) view.service = work.service;
  if (!view.there.empty()) view.said = work.asked.tick;
  Result<View> opened = parts_.views == nullptr
                            ? Result<View>(fail("kas.views", "nothing is looked after here"))
                            : parts_.views->open(std::move(view), item.verdict, {at.now, at.tick});
  if (!opened) {
    item.problem = std::string(opened.error().what());
    return false;
  }
  item.view = std::move(opened->id);
  item.marking = coalition::marking_of(newest, *item.ask.object, at.now);
  item.until = opened->end;
  item.lasts = std::chrono::floor<Seconds>(opened->end - at.now);
  return true;
}

}  // namespace entente::data
