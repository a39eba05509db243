// Stands beside the launcher and outlives it: when the launcher's end of the pipe closes without a word, it
// ends every process group that is still noted and removes the folder, so that even a killed launcher leaves
// nothing behind.
import { rmSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';

const kGraceMs = 1500;
const groups = new Set();
let folder;
let dismissed = false;

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => {});

function signalGroups(signal) {
  for (const group of groups) {
    try {
      process.kill(-group, signal);
    } catch {
      groups.delete(group); // it is gone already
    }
  }
}

for await (const line of createInterface(process.stdin)) {
  const note = JSON.parse(line);
  if (note.started) groups.add(note.started);
  if (note.ended) groups.delete(note.ended);
  if (note.folder) folder = note.folder;
  if (note.dismissed) dismissed = true;
}
if (!dismissed) {
  signalGroups('SIGTERM');
  await wait(kGraceMs);
  signalGroups('SIGKILL');
  if (folder) rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}
