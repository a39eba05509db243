#include "cli/cli.h"
#include "crypto/openssl_heap.h"

#include <span>

int main(int argc, char** argv) {
  entente::crypto::give_openssl_our_heap();
  return entente::cli::run(std::span(argv, static_cast<size_t>(argc)));
}
