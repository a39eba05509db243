// A process of the demonstration ends with whoever started it: on SIGTERM or SIGINT, or when the pipe on its
// standard input closes, which the kernel does even if the parent was killed.
import { once } from 'node:events';
import { fstatSync } from 'node:fs';
import { createInterface } from 'node:readline';

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

// The parent's side of it: the child's first line of output, or an error if it ended before saying one.
export async function firstLine(child) {
  const ended = once(child, 'exit').then(([code, signal]) => {
    throw new Error(
      `${child.spawnargs[1] ?? child.spawnfile} ended with ${code ?? signal} before it was ready`,
    );
  });
  ended.catch(() => {});
  const [line] = await Promise.race([once(createInterface(child.stdout), 'line'), ended]);
  return line;
}
