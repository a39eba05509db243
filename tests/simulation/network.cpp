#include "simulation/network.h"

namespace entente::simulation {

void Agenda::run_next() {
  const auto what = queue_.top().what;
  queue_.pop();
  what();
}

}  // namespace entente::simulation
