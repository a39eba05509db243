#include "coalition/author_recall.h"

#include <algorithm>

#include <fmt/format.h>

namespace entente::coalition {

const Recall* author_recall(const World& world, const SealedObject& object) {
  return object.text_digest.empty() ? nullptr : world.recall(kAuthorRecall, object.text_digest);
}

Result<Record> author_recall_record(const World& world, const Ask& ask, std::string reason) {
  const std::vector<const Recall*> standing = world.recalls(kAuthorRecall);
  const auto own =
      std::ranges::count_if(standing, [&](const Recall* one) { return one->by == ask.who.id.text(); });
  if (standing.size() >= kAuthorRecallsMax || static_cast<size_t>(own) >= kAuthorRecallsOfOneMax) {
    return fail("recall.full", "So much is taken back by authors already that there is no room for one more.",
                {}, "Ask an operator of your nation: they can recall this object, or many by one word.");
  }
  return Record{fmt::format("recall/{}/{}", kAuthorRecall, ask.object->text_digest),
                Json::object({{"reason", std::move(reason)},
                              {"by", ask.who.id.text()},
                              {"at", rfc3339(ask.now)},
                              {"object", std::get<ObjectRef>(ask.target).id}})};
}

}  // namespace entente::coalition
