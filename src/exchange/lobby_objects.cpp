// The lobby's page where sealed objects are opened, and what that page asks of the node.
#include "exchange/lobby.h"

#include <fmt/format.h>

namespace entente::exchange {
namespace {

ObjectAnswer refused(int status, std::string_view code, std::string_view message) {
  return {status, Json::object({{"code", code}, {"message", message}}).dump()};
}

ObjectAnswer not_from_our_page() {
  return refused(403, "permission_denied",
                 "The request did not come from the lobby's own page. Load the page again.");
}

}  // namespace

void Lobby::sign_ins_changed(const PersonId& person) {
  if (parts_.objects != nullptr) parts_.objects->sign_ins_changed(person);
}

net::Task<void> Lobby::show_objects(net::HttpCall& call) {
  const Signed who = signed_in(call.head().headers);
  if (who.sign_in == nullptr) {
    co_await page(call, 200, welcome_page(frame(nullptr), provider_name_, "/sign-in"));
    co_return;
  }
  const coalition::World& world = parts_.world();
  Json services = Json::object();
  Json originators = Json::object();
  for (const coalition::KeyService* one : world.key_services()) {
    const coalition::Partner* nation = world.partner(one->partner);
    const std::string name =
        nation == nullptr ? one->partner.text() : fmt::format("{} ({})", nation->name, nation->code.text());
    services.set(one->url, name);
    Json keys = Json::array();
    for (const std::string& pem : one->originator_keys) keys.push(pem);
    originators.set(one->partner.text(), Json::object({{"name", name}, {"keys", std::move(keys)}}));
  }
  std::string html = objects_page(frame(who.sign_in), token_digest(who.sign_in->form_token), services.dump(),
                                  originators.dump());
  co_await page(call, 200, std::move(html), Scripts::objects);
}

net::Task<void> Lobby::object_answer(net::HttpCall& call, ObjectAnswer answer) {
  net::ResponseHead head;
  head.status = answer.status;
  add_page_headers(head.headers);
  head.headers.set("Content-Type", "application/json");
  [[maybe_unused]] const Result<void> sent = co_await call.answer(std::move(head), std::move(answer.body));
}

// Of somebody who is signed in, and few at once: their forms are larger than others.
namespace {

// A form that is being read: counted for as long as it lives, however that ends.
struct Reading {
  Reading(size_t& all_of, std::map<PersonId, size_t>& of_each, PersonId reader)
      : all(all_of), each(of_each), who(std::move(reader)) {
    ++all;
    ++each[who];
  }
  ~Reading() {
    --all;
    const auto mine = each.find(who);
    if (--mine->second == 0) each.erase(mine);
  }
  Reading(const Reading&) = delete;
  Reading& operator=(const Reading&) = delete;
  size_t& all;
  std::map<PersonId, size_t>& each;
  PersonId who;
};

}  // namespace

net::Task<void> Lobby::object_keys(net::HttpCall& call) {
  ObjectAnswer answer = not_from_our_page();
  const Signed before = signed_in(call.head().headers);
  const PersonId person = before.sign_in == nullptr ? PersonId() : before.sign_in->person.id;
  const auto theirs = object_forms_of_.find(person);
  if (before.sign_in == nullptr || parts_.objects == nullptr || !from_own_page(call)) {
    parts_.switchboard.stranger_refused();
  } else if (object_forms_ >= kObjectFormsMax ||
             (theirs != object_forms_of_.end() && theirs->second >= kObjectFormsOfOneMax)) {
    answer = refused(503, "unavailable", "Your node has more to do than it can; try again in a moment.");
  } else {
    std::optional<Posted> form;
    {
      const Reading reading(object_forms_, object_forms_of_, person);
      form = co_await read_posted(call, kObjectFormMax);
    }
    if (form) {
      const SignIn& sign_in = *form->who.sign_in;
      ObjectReader reader{sign_in.person, context(sign_in), token_digest(form->who.token)};
      std::string request = query_value(form->fields, "request");
      answer = co_await parts_.objects->keys(std::move(reader), std::move(request));
    }
  }
  co_await object_answer(call, std::move(answer));
}

net::Task<void> Lobby::close_object(net::HttpCall& call) {
  const std::optional<Posted> form = co_await read_posted(call, kFormBytesMax);
  ObjectAnswer answer = not_from_our_page();
  if (form && parts_.objects != nullptr) {
    const bool closed =
        parts_.objects->close(form->who.sign_in->person.id, query_value(form->fields, "view"));
    answer = closed ? ObjectAnswer{200, "{}"}
                    : refused(404, "not_found", "Nothing of yours is open by this name.");
  }
  co_await object_answer(call, std::move(answer));
}

}  // namespace entente::exchange
