#include "exchange/relay_io.h"

namespace entente::exchange {
namespace {

struct Upload {
  explicit Upload(net::Loop& loop) : done(loop) {}
  net::Event done;
  std::optional<Error> broken;  // why the request's body did not come whole
};

net::Task<void> upload(Lane* lane, const Pass* pass, net::ByteSource* body, net::CarrierStream* upstream,
                       std::shared_ptr<Upload> state) {
  PatientSink sink(upstream->sink(), *lane, *pass);
  MarkedSource source(*body);
  Result<uint64_t> sent = co_await net::pump(lane->loop(), source, sink);
  if (source.failed()) {
    // The app waits for a rest that never comes, and we for its answer.
    state->broken = sent.error();
    upstream->reset(net::H2Code::cancel);
  }
  state->done.set();
}

}  // namespace

Ending not_answered(const net::CarrierStream& upstream, bool bytes, Ending otherwise) {
  if (bytes || upstream.reset_code() != kNotThisWay) return otherwise;
  return app_down("This app is reached by a program of its own, not by a browser.",
                  "Ask the app's owner for that program.");
}

namespace {

// What is to be done once the session is no longer held.
template <class Then>
net::Task<Result<void>> when_it_passes(Lane* lane, const Pass* pass, Then then) {
  const bool open = co_await lane->passage(*pass);
  if (!open) co_return fail("net.fenced", "the session does not pass any more");
  Result<void> done = co_await then();
  co_return done;
}

}  // namespace

net::Task<Result<void>> PatientSink::write(ByteView bytes) {
  if (lane_.passes(pass_)) return sink_.write(bytes);
  return when_it_passes(&lane_, &pass_, [sink = &sink_, bytes] { return sink->write(bytes); });
}

net::Task<Result<void>> PatientSink::flush() {
  if (lane_.passes(pass_)) return sink_.flush();
  return when_it_passes(&lane_, &pass_, [sink = &sink_] { return sink->flush(); });
}

net::Task<Result<void>> PatientSink::finish() {
  if (lane_.passes(pass_)) return sink_.finish();
  return when_it_passes(&lane_, &pass_, [sink = &sink_] { return sink->finish(); });
}

net::Task<Result<void>> MarkedSource::wait() {
  Result<void> ready = co_await source_.wait();
  failed_ = failed_ || !ready;
  co_return ready;
}

net::Task<Result<size_t>> MarkedSource::read(std::span<uint8_t> into) {
  Result<size_t> got = co_await source_.read(into);
  failed_ = failed_ || !got;
  co_return got;
}

net::Task<Result<void>> relay_request(Lane& lane, const Pass& pass, net::ByteSource* body,
                                      net::CarrierStream& upstream, AnswerStart& answer,
                                      Elsewhere elsewhere) {
  std::shared_ptr<Upload> state;  // none without a body
  if (body != nullptr) {
    state = std::make_shared<Upload>(lane.loop());
    lane.loop().spawn(upload(&lane, &pass, body, &upstream, state));
  }
  Result<void> outcome;
  Result<net::ResponseHead> head = co_await upstream.read_head();
  // What was given up on this side is not asked for again.
  if (!head && elsewhere && head.error().code() != "net.aborted") {
    Result<net::CarrierStream> other = co_await elsewhere(head.error());
    if (other) {
      upstream = std::move(*other);
      head = co_await upstream.read_head();
    }
  }
  if (!head) {
    outcome = Failure(head.error());
  } else {
    Result<net::ByteSink*> sink = co_await answer.start(std::move(*head));
    if (!sink) {
      outcome = Failure(sink.error());
    } else if (*sink != nullptr) {
      PatientSink patient(**sink, lane, pass);
      Result<uint64_t> passed = co_await net::pump(lane.loop(), upstream.body(), patient);
      if (!passed) {
        (*sink)->abort();
        outcome = Failure(passed.error());
      }
    }
  }
  if (!outcome && state && state->broken) outcome = Failure(*state->broken);
  if (state && !state->done.is_set()) {
    // The answer is over and the request is not: nobody wants the rest of it.
    upstream.reset(net::H2Code::cancel);
    body->abort();
    co_await state->done.wait_set();
  }
  co_return outcome;
}

}  // namespace entente::exchange
