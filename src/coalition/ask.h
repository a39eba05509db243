// The question. Pure data: it carries the time and every fact about the moment.
#pragma once

#include "coalition/access.h"
#include "coalition/objects.h"

#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace entente::coalition {

// `recall`: by the author of an object, of that object.
enum class Action { open, view, edit, forward, relabel, release, share, administer, approve, recall };
[[nodiscard]] std::string_view action_name(Action action);

struct AppRef {
  PartnerCode owner;
  AppId app;
  [[nodiscard]] std::string text() const { return owner.text() + "/" + app.text(); }  // "XAA/cop"
  auto operator<=>(const AppRef&) const = default;
};

// What is asked for: an app, a sealed object, or (administer, approve) a partner, a mission or this node
// itself.
struct NodeRef {
  PartnerCode partner;
  auto operator<=>(const NodeRef&) const = default;
};
using Target = std::variant<AppRef, NodeRef, PartnerCode, MissionId, ObjectRef>;
[[nodiscard]] std::string target_text(const Target& target);  // "app XAA/cop", "partner XBB"

// One request inside a session. `path` is normalised (net::normal_path): what policy reads is what the app
// gets.
struct HttpFacts {
  std::string method;
  std::string path;
  bool upgrade = false;  // it turns into a stream both ways (a WebSocket, say)
};

struct Ask {
  VerdictId id;  // drawn by the caller: decide() is pure
  Action action = Action::open;
  Person who;
  Target target;
  Instant now;
  Facts context;  // at least "risk" and "network": missing means no
  std::optional<HttpFacts> http;
  bool bytes = false;   // a stream of opaque bytes inside a session: no policy sees what is in it
  std::string purpose;  // free text for the ledger, may be empty
  std::optional<RequestFacts> request{};  // approve: what is to be approved
  bool inside = false;     // admitted already: no grant but the one it was counted on speaks for it
  RequestId entered_by{};  // that grant, if it was admitted by one
  // An object: without it nothing is known of it, and nobody opens it.
  std::optional<SealedObject> object{};
  std::optional<KeyUse> by{};
};

}  // namespace entente::coalition
