#include "cli/operator_client.h"

#include "net/dial.h"
#include "net/http_client.h"
#include "net/loop.h"
#include "node/config.h"

#include <cstdlib>

#include <fmt/format.h>

namespace entente::cli {
namespace {

constexpr Millis kDialTimeout{3000};
constexpr size_t kAnswerBytesMax = 64 << 20;

net::Task<Result<net::FetchResponse>> talk(net::Loop* loop, std::string socket, net::RequestHead head,
                                           std::string body) {
  Result<net::Socket> dialed = co_await net::dial_unix(*loop, std::move(socket), kDialTimeout);
  if (!dialed) co_return Failure(dialed.error());
  net::HttpClient client(net::make_stream(*loop, std::move(*dialed)));
  Result<net::FetchResponse> answer =
      co_await net::ask(client, std::move(head), std::move(body), kAnswerBytesMax);
  co_return answer;
}

Error refusal(const Json& answer, int status) {
  const Json* error = answer.find("error");
  if (error == nullptr)
    return {"cli.answer", fmt::format("the node answered with status {}", status), {}, {}};
  return {std::string(error->text_or("code", "cli.answer")), std::string(error->text_or("what", "refused")),
          std::string(error->text_or("where", "")), std::string(error->text_or("hint", ""))};
}

}  // namespace

Result<Json> call_node(const Arguments& arguments, std::string_view method, std::string path,
                       const Json& body) {
  const char* environment = std::getenv("ENTENTE_SOCKET");
  std::string socket = arguments.option("socket").value_or(environment == nullptr ? "" : environment);
  if (const auto config_file = arguments.option("config"); config_file && !arguments.option("socket")) {
    TRY(const std::filesystem::path where, node::operators_socket_of(*config_file));
    socket = where.string();
  }
  if (socket.empty()) {
    return fail("cli.usage", "it is not said which node to ask", {},
                "give --socket PATH or --config FILE, or set ENTENTE_SOCKET");
  }
  net::RequestHead head;
  head.method = std::string(method);
  head.target = path;
  head.path = std::move(path);
  head.authority = "localhost";
  head.headers.add("Accept", "application/json");
  std::string text;
  if (!body.is_null()) {
    text = body.dump();
    head.headers.add("Content-Type", "application/json");
  }
  net::Loop loop;
  const Result<net::FetchResponse> answer =
      loop.run_until(talk(&loop, socket, std::move(head), std::move(text)));
  if (!answer) {
    return fail("cli.unreachable", "the node does not answer: " + answer.error().what(), socket,
                "check that it runs, and that --socket names its operators_socket");
  }
  TRY(Json json, Json::parse(answer->body, {.bytes_max = kAnswerBytesMax}));
  if (answer->status >= 300) return Failure(refusal(json, answer->status));
  return json;
}

}  // namespace entente::cli
