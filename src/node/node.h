// One partner's running node: the rooms put together, from a configuration to a serving process and back.
#pragma once

#include "node/config.h"

#include <functional>
#include <memory>

namespace entente::node {

class Node {
 public:
  // Opens and checks everything; listens only when all of it is right.
  [[nodiscard]] static Result<std::unique_ptr<Node>> start(NodeConfig config);
  ~Node();
  // Serves until stop(). `ready` is called once, with the door's port.
  void run(std::function<void(uint16_t)> ready);
  void stop();  // from any thread or a signal handler's thread

 private:
  struct Parts;
  explicit Node(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace entente::node
