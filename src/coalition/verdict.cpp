#include "coalition/verdict.h"

namespace entente::coalition {

std::string_view refusal_name(Refusal refusal) {
  switch (refusal) {
    case Refusal::none:
      return "none";
    case Refusal::denied:
      return "denied";
    case Refusal::credential_dead:
      return "credential";
    case Refusal::app_down:
      return "app-down";
    case Refusal::lease_ended:
      return "lease-ended";
  }
  return "";
}

std::string_view layer_name(Layer layer) {
  switch (layer) {
    case Layer::structure:
      return "structure";
    case Layer::coalition:
      return "coalition";
    case Layer::host:
      return "host";
    case Layer::home:
      return "home";
  }
  return "";
}

Json Verdict::to_json() const {
  Json why = Json::array();
  for (const Reason& reason : reasons) {
    why.push(Json::object({{"layer", layer_name(reason.layer)},
                           {"policy", reason.policy},
                           {"text", reason.text},
                           {"change", reason.change},
                           {"who_decides", reason.who_decides}}));
  }
  Json duties = Json::array();
  for (const Obligation& duty : obligations) {
    duties.push(Json::object({{"name", duty.name}, {"value", duty.value}}));
  }
  Json faults = Json::array();
  for (const std::string& error : errors) faults.push(error);
  Json out = Json::object({{"id", id.text()},
                           {"permit", permit},
                           {"refusal", refusal_name(refusal)},
                           {"hidden", hidden},
                           {"reasons", std::move(why)},
                           {"obligations", std::move(duties)},
                           {"revision", revision.value},
                           {"errors", std::move(faults)}});
  // Left out when time alone changes nothing.
  if (valid_until < from_unix_seconds(253402300799)) out.set("valid_until", rfc3339(valid_until));
  return out;
}

std::vector<Reason> shown_reasons(const Verdict& verdict) {
  if (!verdict.hidden || verdict.reasons.empty()) return verdict.reasons;
  Reason reason = verdict.reasons.front();
  reason.layer = Layer::structure;
  reason.policy = kUnknownApp;
  return {std::move(reason)};
}

Verdict shown(const Verdict& verdict) {
  if (!verdict.hidden) {
    Verdict out = verdict;
    out.errors.clear();
    return out;
  }
  Verdict out;
  out.id = verdict.id;
  out.hidden = true;
  out.refusal = verdict.refusal;
  out.revision = verdict.revision;
  out.valid_until = kNever;
  out.reasons = shown_reasons(verdict);
  return out;
}

}  // namespace entente::coalition
