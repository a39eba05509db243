// A process of the demonstration ends with whoever started it: on SIGTERM or SIGINT, or when the pipe on its standard input
// closes, which the kernel does even if the parent was killed.
import { fstatSync } from 'node:fs';

export function endWithParent(close) {
  let ending = false;
  const end = async () => {
    if (ending) return;
    ending = true;
    setTimeout(() => process.exit(1), 2000).unref();
    await close();
    process.exit(0);
  };
  process.on('SIGTERM', end);
  process.on('SIGINT', end);
  const input = fstatSync(0);
  if (input.isFIFO() || input.isSocket()) {
    process.stdin.on('error', end).on('close', end).resume();
  }
}

// One line of JSON on standard output tells the parent that this process serves.
export function sayReady(facts) {
  process.stdout.write(`${JSON.stringify({ ready: true, ...facts })}\n`);
}
