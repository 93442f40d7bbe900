// ./scripts/run and ./scripts/test leave no process, namespace, device or mount behind, however they end.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { Program, run } from '../interop/harness/program.ts';
import { waitFor } from '../interop/harness/wait.ts';

/** All that a run could leave, as text to compare. */
async function traces(): Promise<string> {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8');
  const namespaces = readdirSync('/run/netns').join(' ');
  return [processes().join('\n'), mounts, namespaces, await run(['ip', '-br', 'link'])].join('\n--\n');
}

/** Command lines of the processes of this process namespace, zombies aside. */
function processes(): string[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .flatMap((pid) => {
      try {
        const zombie = /^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
        return zombie ? [] : [`${pid} ${readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')}`];
      } catch {
        return []; // it ended while we looked
      }
    });
}

const scripts = [
  { argv: ['./scripts/run', '--no-setup'], up: /host-a/ },
  { argv: ['./scripts/test', '--no-setup', 'interop/peers'], up: undefined },
];

for (const { argv, up } of scripts) {
  describe(argv.join(' '), () => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGKILL'] as const) {
      it(`leaves nothing behind after ${signal}`, async () => {
        const before = await traces();
        const program = new Program(argv);
        if (up !== undefined) await program.expect(up, 20);
        else await waitFor('a peer runs', 20, () => processes().some((line) => line.includes(' iperf3 --server')));
        program.signal(signal);
        await program.end(10);
        let after = '';
        await waitFor(
          'nothing is left',
          3,
          async () => (after = await traces()) === before,
          () => `before:\n${before}\nafter:\n${after}`,
        );
        assert.equal(after, before);
      });
    }
  });
}
