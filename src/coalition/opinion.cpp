#include "coalition/opinion.h"

#include "coalition/words.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

namespace entente::coalition {
namespace {

policy::Record context_of(const Established& known, bool with_http) {
  const Ask& ask = known.ask;
  policy::Record context{{"now", ask.now},
                         {"node", uid_of(known.world.self())},
                         {"risk", known.risk},
                         {"network", known.network},
                         {"purpose", ask.purpose}};
  if (with_http && ask.http) {
    context.set("http", policy::Record{{"method", ask.http->method}, {"path", ask.http->path}});
  }
  if (known.grant != nullptr) {
    context.set("grant", policy::Record{{"id", known.grant->id.text()},
                                        {"purpose", known.grant->purpose},
                                        {"end", known.grant->end}});
  }
  if (known.release != nullptr) {
    context.set("release", policy::Record{{"id", known.release->id.text()},
                                          {"purpose", known.release->purpose},
                                          {"end", known.release->until.value_or(ask.now)}});
  }
  if (known.delegation != nullptr) {
    Person from;
    from.id = known.delegation->from;
    from.partner = known.world.self();
    context.set("delegation", policy::Record{{"from", entity_of(from)}, {"end", known.delegation->end}});
  }
  if (ask.by) {
    if (!ask.by->device.empty()) context.set("device", ask.by->device);
    if (!ask.by->client.empty()) context.set("client", ask.by->client);
    if (!ask.by->mission.empty()) context.set("mission", uid_of(ask.by->mission));
  }
  if (ask.request) {
    context.set("request", policy::Record{{"partner", uid_of(ask.request->partner)},
                                          {"minutes", ask.request->minutes},
                                          {"purpose", ask.request->purpose}});
  }
  return context;
}

std::string_view annotation(const policy::PolicyInfo& policy, std::string_view name) {
  return policy.annotation(name).value_or("");
}

// "watermark, view-only=strict"
void read_obligations(std::string_view text, std::vector<Obligation>& out) {
  while (!text.empty()) {
    const size_t comma = std::min(text.find(','), text.size());
    std::string_view item = text.substr(0, comma);
    text.remove_prefix(std::min(comma + 1, text.size()));
    while (item.starts_with(' ')) item.remove_prefix(1);
    while (item.ends_with(' ')) item.remove_suffix(1);
    if (item.empty()) continue;
    const size_t equals = item.find('=');
    Obligation duty{std::string(item.substr(0, equals)),
                    equals == std::string_view::npos ? "" : std::string(item.substr(equals + 1))};
    if (std::find(out.begin(), out.end(), duty) == out.end()) out.push_back(std::move(duty));
  }
}

// A number that a policy's author annotated; what cannot be read counts as the strictest.
int64_t annotated(const policy::PolicyInfo& policy, std::string_view name, int64_t otherwise,
                  int64_t strictest, int64_t most) {
  const auto text = policy.annotation(name);
  if (!text) return otherwise;
  int64_t value = 0;
  const auto read = std::from_chars(text->data(), text->data() + text->size(), value);
  const bool whole = read.ec == std::errc() && read.ptr == text->data() + text->size();
  return whole && value >= 1 && value <= most ? value : strictest;
}

void tighten(GrantTerms& terms, const policy::PolicyInfo& policy) {
  const GrantTerms usual;
  terms.approvals = std::max(terms.approvals,
                             annotated(policy, "approvals", usual.approvals, kApprovalsMax, kApprovalsMax));
  terms.minutes = std::min(
      terms.minutes, annotated(policy, "minutes", usual.minutes, 1, kGrantLifeMax / std::chrono::minutes(1)));
  terms.uses = std::min(terms.uses, annotated(policy, "uses", usual.uses, 1, kGrantUsesMax));
}

// One layer's share of an opinion.
class LayerAsked {
 public:
  LayerAsked(const Established& known, Layer layer, const policy::Request& request)
      : known_(known), layer_(layer), request_(request) {}

  bool run(Notes& notes, Opinion& permits, Opinion& denials) {
    set_ = known_.world.policies(layer_name(layer_));
    if (set_ == nullptr) {
      denials.reasons.push_back(
          plain("no-policy", "No policy speaks for this here, so nothing is permitted."));
      return false;
    }
    if (set_->reads_context(request_.action, "http")) notes.request_read();
    thread_local policy::Answer answer;  // grows once
    policy::decide(*set_, known_.world.entities(), known_.overlay, request_, {.nearest = true}, answer);
    notes.add(answer);
    note_errors(answer, denials.errors);
    if (!answer.permitted()) {
      deny(answer, denials.reasons);
      return false;
    }
    for (const policy::PolicyIndex index : answer.reasons) {
      permits.reasons.push_back(reason((*set_)[index]));
      read_obligations(annotation((*set_)[index], "obligation"), permits.obligations);
      if (layer_ == Layer::host) tighten(permits.terms, (*set_)[index]);
    }
    return true;
  }

 private:
  std::string decider() const {
    return layer_ == Layer::coalition ? "The coalition" : partner_text(known_.world, known_.world.self());
  }
  Reason plain(std::string_view id, std::string text) const {
    return {layer_, std::string(id), std::move(text), "", decider()};
  }
  Reason reason(const policy::PolicyInfo& policy) const {
    const std::string_view who = annotation(policy, "decides");
    return {layer_, policy.id, std::string(annotation(policy, "reason")),
            std::string(annotation(policy, "change")), who.empty() ? decider() : std::string(who)};
  }

  void note_errors(const policy::Answer& answer, std::vector<std::string>& errors) const {
    for (const policy::PolicyError& error : answer.errors) {
      errors.push_back(fmt::format("{}: {}{}", layer_name(layer_),
                                   error.policy ? (*set_)[*error.policy].id + ": " : std::string(),
                                   error.error.text()));
    }
  }

  // Why not: the forbids that hold; or one that could not be judged; or the permit that came nearest.
  void deny(const policy::Answer& answer, std::vector<Reason>& reasons) const {
    const size_t before = reasons.size();
    for (const policy::PolicyIndex index : answer.reasons) {
      if ((*set_)[index].effect == policy::Effect::forbid) reasons.push_back(reason((*set_)[index]));
    }
    if (reasons.size() > before) return;
    if (!answer.errors.empty()) {
      reasons.push_back(plain("policy-failed", "A rule could not be judged, so nothing is permitted."));
      return;
    }
    reasons.push_back(answer.nearest ? reason((*set_)[*answer.nearest])
                                     : plain("nothing-permits", "No rule permits this."));
  }

  const Established& known_;
  const Layer layer_;
  const policy::Request& request_;
  const policy::PolicySet* set_ = nullptr;
};

}  // namespace

Opinion ask_layers(const Established& known, Action action, Notes& notes) {
  const policy::Request request{known.overlay[0].uid, uid_of(action), entity_of(known.ask.target),
                                context_of(known, action == known.ask.action)};
  Opinion permits;
  permits.terms = {1, kGrantLifeMax / std::chrono::minutes(1),
                   kGrantUsesMax};  // the widest; policies tighten it
  Opinion denials;
  permits.permit = LayerAsked(known, Layer::coalition, request).run(notes, permits, denials);
  if (known.own_target) {
    permits.permit = LayerAsked(known, Layer::host, request).run(notes, permits, denials) && permits.permit;
  }
  if (known.own_person) {
    permits.permit = LayerAsked(known, Layer::home, request).run(notes, permits, denials) && permits.permit;
  }
  permits.errors = std::move(denials.errors);
  if (!permits.permit) {
    permits.reasons = std::move(denials.reasons);
    permits.obligations.clear();
  }
  return permits;
}

}  // namespace entente::coalition
