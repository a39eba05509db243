#include "net/loop.h"

#include <memory>
#include <stdexcept>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

namespace entente::net {

namespace {

Task<int> ready_value(int value) {
  co_return value;
}

Task<int> sum_of_ready(int count) {
  int sum = 0;
  for (int i = 0; i < count; ++i) {
    int one = co_await ready_value(1);
    sum += one;
  }
  co_return sum;
}

Task<int> sum_after_sleeps(Loop& loop, int count) {
  int sum = 0;
  for (int i = 0; i < count; ++i) {
    co_await loop.sleep(Millis(0));
    int one = co_await ready_value(1);
    sum += one;
  }
  co_return sum;
}

Task<void> throws() {
  throw std::runtime_error("exercise");
  co_return;
}

Task<void> set_on_end(std::shared_ptr<bool> ended, Event* forever) {
  struct Mark {
    std::shared_ptr<bool> at;
    ~Mark() { *at = true; }
  } mark{ended};
  bool woken = co_await forever->wait(kNoTimeout);
  (void)woken;
}

Task<void> nothing() {
  co_return;
}

Task<bool> wait_for(Event& event, Millis timeout) {
  bool woken = co_await event.wait(timeout);
  co_return woken;
}

Task<void> set_soon(Loop* loop, Event* event) {
  co_await loop->sleep(Millis(1));
  event->set();
}

Task<std::thread::id> thread_there(Loop& there) {
  std::optional<std::thread::id> id = co_await run_on<std::thread::id>(there, kNoTimeout, [] {
    return [](std::thread::id now) -> Task<std::thread::id> { co_return now; }(std::this_thread::get_id());
  });
  co_return *id;
}

Task<int> seven_once_set(std::shared_ptr<Event> event) {
  co_await event->wait_set();
  co_return 7;
}

Task<void> give_up_and_ask_again(Loop* loop) {
  auto event = std::make_shared<Event>(*loop);
  std::move_only_function<Task<int>()> first = [event] { return seven_once_set(event); };
  std::optional<int> late = co_await run_on<int>(*loop, Millis(1), std::move(first));
  CHECK_FALSE(late);
  event->set();
  std::move_only_function<Task<int>()> second = [event] { return seven_once_set(event); };
  std::optional<int> now = co_await run_on<int>(*loop, kNoTimeout, std::move(second));
  CHECK(now == 7);
}

}  // namespace

TEST_CASE("a task loops over ready values without growing the stack") {
  Loop loop;
  CHECK(loop.run_until(sum_of_ready(1'000'000)) == 1'000'000);
}

TEST_CASE("a task resumes after each wait") {
  Loop loop;
  CHECK(loop.run_until(sum_after_sleeps(loop, 1000)) == 1000);
}

TEST_CASE("an exception reaches who runs the task") {
  Loop loop;
  CHECK_THROWS_AS(loop.run_until(throws()), std::runtime_error);
}

TEST_CASE("a loop that goes destroys its waiting tasks") {
  auto ended = std::make_shared<bool>(false);
  {
    Loop loop;
    Event forever(loop);
    loop.spawn(set_on_end(ended, &forever));
    loop.run_until(nothing());
    CHECK(loop.tasks() == 1);
    CHECK_FALSE(*ended);
  }
  CHECK(*ended);
}

TEST_CASE("an event wakes its waiters, times out, and stays set") {
  Loop loop;
  Event event(loop);
  CHECK_FALSE(loop.run_until(wait_for(event, Millis(1))));
  loop.spawn(set_soon(&loop, &event));
  CHECK(loop.run_until(wait_for(event, Millis(60'000))));
  CHECK(loop.run_until(wait_for(event, Millis(0))));
  event.clear();
  CHECK_FALSE(loop.run_until(wait_for(event, Millis(0))));
}

TEST_CASE("timers fire in order of their time, and not once cancelled") {
  Loop loop;
  std::vector<int> fired;
  Timer late = loop.after(Millis(6), [&] { fired.push_back(3), loop.stop(); });
  Timer cancelled = loop.after(Millis(4), [&] { fired.push_back(2); });
  Timer early = loop.after(Millis(2), [&] {
    fired.push_back(1);
    cancelled.cancel();
  });
  loop.run();
  CHECK(fired == std::vector<int>{1, 3});
  CHECK_FALSE(early.pending());
}

TEST_CASE("many timers keep their order through a mix of starts and cancels") {
  Loop loop;
  std::vector<Timer> timers;
  Tick last{};
  int fired = 0;
  for (int i = 0; i < 300; ++i) {
    timers.push_back(loop.after(Millis((i * 7919) % 20), [&, i] {
      CHECK_MESSAGE(i % 3 != 0, "a cancelled timer fired");
      last = loop.tick();
      ++fired;
    }));
  }
  for (size_t i = 0; i < timers.size(); i += 3) timers[i].cancel();
  Timer stop = loop.after(Millis(30), [&] { loop.stop(); });
  loop.run();
  CHECK(fired == 200);
}

TEST_CASE("work hops to another loop's thread and its value comes back") {
  Loop here;
  Loop there;
  std::thread other([&] { there.run(); });
  const std::thread::id other_id = other.get_id();
  CHECK(here.run_until(thread_there(there)) == other_id);
  there.stop();
  other.join();
}

TEST_CASE("work that takes too long is waited for no more, and what comes of it late does no harm") {
  Loop loop;
  loop.run_until(give_up_and_ask_again(&loop));
}

TEST_CASE("posts from many threads all run on the loop") {
  Loop loop;
  int count = 0;  // touched on the loop only
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 500; ++i) {
        loop.post([&] {
          CHECK(loop.in_loop());
          if (++count == 2000) loop.stop();
        });
      }
    });
  }
  loop.run();
  for (std::thread& thread : threads) thread.join();
  CHECK(count == 2000);
}

TEST_CASE("a lent buffer is used again") {
  Loop loop;
  const uint8_t* first = loop.lend().span().data();
  CHECK(loop.lend().span().data() == first);
  CHECK(loop.lend(Loop::kRelayBufferBytes).span().size() == 64 * 1024);
}

}  // namespace entente::net
