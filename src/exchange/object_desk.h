// What the lobby's page of sealed objects asks of the node's key service. What lies behind it is no business
// of this room.
#pragma once

#include "coalition/ask.h"
#include "net/task.h"

#include <string>

namespace entente::exchange {

struct ObjectReader {
  coalition::Person person{};
  coalition::Facts context{};
  std::string sign_in{};  // digest of its cookie: for as long as it lasts, what they look at may stay open
};

struct ObjectAnswer {
  int status = 200;
  std::string body{};  // JSON
};

class ObjectDesk {
 public:
  virtual ~ObjectDesk() = default;
  // `request`: JSON as docs/wire-formats/kas.md has it. Always answers.
  [[nodiscard]] virtual net::Task<ObjectAnswer> keys(ObjectReader reader, std::string request) = 0;
  // Of their own; false: there is none of this id.
  virtual bool close(const PersonId& person, const std::string& view) = 0;
  // A sign-in of theirs is over: what they looked at by it ends with this call.
  virtual void sign_ins_changed(const PersonId& person) = 0;
  // Out of everything: what programs hold of theirs opens nothing any more, either.
  virtual void signed_out(const PersonId& person) = 0;
};

}  // namespace entente::exchange
