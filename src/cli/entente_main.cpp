#include "cli/cli.h"

#include <span>

int main(int argc, char** argv) {
  return entente::cli::run(std::span(argv, static_cast<size_t>(argc)));
}
