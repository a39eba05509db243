#include "exchange/relay_io.h"

namespace entente::exchange {
namespace {

struct Upload {
  explicit Upload(net::Loop& loop) : done(loop) {}
  net::Event done;
  std::optional<Error> error;
};

net::Task<void> upload(Switchboard* switchboard, SessionId session, net::ByteSource* body,
                       net::CarrierStream* upstream, std::shared_ptr<Upload> state) {
  PatientSink sink(upstream->sink(), *switchboard, session);
  Result<uint64_t> sent = co_await net::pump(switchboard->loop(), *body, sink);
  if (!sent) state->error = sent.error();
  state->done.set();
}

}  // namespace

net::Task<Result<void>> PatientSink::write(ByteView bytes) {
  const bool open = co_await switchboard_.passage(session_);
  if (!open) co_return fail("net.fenced", "the session does not pass any more");
  Result<void> written = co_await sink_.write(bytes);
  co_return written;
}

net::Task<Result<void>> relay_request(Switchboard& switchboard, SessionId session, net::ByteSource* body,
                                      net::CarrierStream& upstream, AnswerStart& answer) {
  auto state = std::make_shared<Upload>(switchboard.loop());
  if (body != nullptr) {
    switchboard.loop().spawn(upload(&switchboard, session, body, &upstream, state));
  } else {
    state->done.set();
  }
  Result<void> outcome;
  Result<net::ResponseHead> head = co_await upstream.read_head();
  if (!head) {
    outcome = Failure(head.error());
  } else {
    Result<net::ByteSink*> sink = co_await answer.start(std::move(*head));
    if (!sink) {
      outcome = Failure(sink.error());
    } else if (*sink != nullptr) {
      PatientSink patient(**sink, switchboard, session);
      Result<uint64_t> passed = co_await net::pump(switchboard.loop(), upstream.body(), patient);
      if (!passed) {
        (*sink)->abort();
        outcome = Failure(passed.error());
      }
    }
  }
  if (!state->done.is_set()) {
    // The answer is over and the request is not: nobody wants the rest of it.
    upstream.reset(net::H2Code::cancel);
    body->abort();
    bool ended = co_await state->done.wait(net::kNoTimeout);
    while (!ended) ended = co_await state->done.wait(net::kNoTimeout);
  }
  co_return outcome;
}

}  // namespace entente::exchange
