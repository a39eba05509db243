#include "exchange/links_internal.h"

#include <doctest/doctest.h>

namespace entente::exchange {

TEST_CASE("control messages come together again from whatever pieces they arrive in") {
  std::string line;
  std::vector<Json> messages;
  for (const char* piece : {"{\"n\":1}\n{\"n", "\":2}", "\n{\"n\":3}\n", "{\"n\":4}"})
    REQUIRE(read_lines(piece, line, messages));
  REQUIRE(messages.size() == 3);
  CHECK(messages[2].find("n")->integer() == 3);
  CHECK(line == "{\"n\":4}");
}

TEST_CASE("attack: a line without end, or one that is no JSON, is the last that is read") {
  std::string line;
  std::vector<Json> messages;
  CHECK_FALSE(read_lines("{\"n\":1}\nnot json\n{\"n\":2}\n", line, messages));
  CHECK(messages.size() == 1);
  line.clear();
  CHECK_FALSE(read_lines(std::string(kLinkMessageBytesMax + 1, 'x'), line, messages));
}

TEST_CASE("what waits for a slow partner is bounded, in order, and nothing more once the link is over") {
  Outbox outbox;
  CHECK(outbox.put("a") == Outbox::Put::first);
  CHECK(outbox.put("b") == Outbox::Put::behind);
  CHECK(outbox.take(1) == "a");
  CHECK(outbox.take(1) == "b");
  CHECK(outbox.take(1).empty());
  for (size_t i = 0; i < kQueuedMax; ++i) REQUIRE(outbox.put("x") != Outbox::Put::full);
  CHECK(outbox.put("x") == Outbox::Put::full);
  outbox.close();
  CHECK(outbox.put("x") == Outbox::Put::over);
}

}  // namespace entente::exchange
