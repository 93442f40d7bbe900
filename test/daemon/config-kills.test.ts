// time-out: 1200 s
// `kill -9` of configd while it saves: the file and every kept version is a whole one, always, and configd starts again.
// WIDEPLANE_LONG=1 kills hundreds of times.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, describe, it } from 'node:test';
import { IpcClient } from '../../src/ipc/ipc-client.ts';
import { IpcError } from '../../src/ipc/ipc-error.ts';
import { ConfigdProcess, ask, killRunning, tmsh } from '../support/configd-process.ts';

const KILLS = process.env.WIDEPLANE_LONG === '1' ? 500 : 60;
const VLANS = 20;
/** So that a file is written in several pieces. */
const PADDING = 'x'.repeat(5000);

const root = mkdtempSync(join(tmpdir(), 'config-kills-'));
afterEach(killRunning);
after(() => rmSync(root, { recursive: true }));

/** The text of the configuration whose objects all say the number. */
function textOf(head: string, number: number): string {
  const names = Array.from({ length: VLANS }, (_, index) => `v${index}`);
  const vlans = names.map(
    (name, index) => `net vlan /Common/${name} {\n    description ${number}-${PADDING}\n    tag ${index + 1}\n}\n`,
  );
  return `${head}${vlans.join('')}`;
}

/** The number that a whole text says; fails for anything else. */
function numberOf(text: string, what: string): number {
  const number = Number(/description (\d+)-/.exec(text)?.[1]);
  assert.ok(text === textOf(/^#.*\n#.*\n\n/.exec(text)?.[0] ?? '', number), `${what} is neither an old nor a new one`);
  return number;
}

/** Changes and saves until configd is gone; what it said was saved last. */
async function saveUntilKilled(
  state: string,
  first: number,
  saving: () => void,
): Promise<{ acknowledged: number; next: number }> {
  let acknowledged = -1;
  let next = first;
  try {
    const client = await IpcClient.connect(join(state, 'configd.sock'));
    for (;;) {
      for (const command of [`modify net vlan v* description ${next++}-${PADDING}`, 'save sys config']) {
        await ask(client, command);
        saving();
      }
      acknowledged = next - 1;
    }
  } catch (error) {
    if (!(error instanceof IpcError)) throw error;
    return { acknowledged, next };
  }
}

describe('kill -9 during saves', { timeout: KILLS * 6000 }, () => {
  it('many times: nothing is torn, nothing acknowledged is lost', async (context) => {
    const state = join(mkdtempSync(join(root, 'd')), 'state');
    const directory = join(state, 'configd');
    const history = join(directory, 'history');
    const file = join(directory, 'wideplane.conf');
    let daemon = await new ConfigdProcess(state).ready();
    const create = Array.from(
      { length: VLANS },
      (_, index) => `create net vlan v${index} { tag ${index + 1} description 0-${PADDING} }\n`,
    );
    assert.equal(tmsh(state, [], `${create.join('')}save sys config\n`).status, 0);
    let number = 1;
    let torn = 0;
    for (let round = 0; round < KILLS; round++) {
      // From the moment of the first command on, at another moment of a save each time.
      let isKilled = false;
      const kill = () => {
        if (isKilled) return;
        isKilled = true;
        setTimeout(() => daemon.process.kill('SIGKILL'), (round * 7) % 60);
      };
      const { acknowledged, next } = await saveUntilKilled(state, number, kill);
      number = next;
      assert.equal(await daemon.ended(), 'SIGKILL');
      const saved = numberOf(readFileSync(file, 'utf8'), 'the file');
      assert.ok(saved >= acknowledged, `save ${acknowledged} was acknowledged, the file has ${saved}`);
      for (const name of readdirSync(history)) {
        if (name.endsWith('.conf') && !name.startsWith('.')) numberOf(readFileSync(join(history, name), 'utf8'), name);
      }
      const leftovers = () =>
        [...readdirSync(directory), ...readdirSync(history)].filter((name) => name.endsWith('.tmp'));
      const before = leftovers();
      torn += before.length;
      daemon = await new ConfigdProcess(state).ready();
      const after = leftovers();
      assert.deepEqual(
        before.filter((name) => after.includes(name)),
        [],
      );
    }
    context.diagnostic(`${KILLS} kills left ${torn} files half written, all of them temporary ones`);
    assert.ok(torn > 0, 'no kill came while a file was written: this test shows nothing');
    const versions = readdirSync(history).filter((name) => name.endsWith('.conf'));
    assert.ok(versions.length > 1 && versions.length <= 10, versions.join());
    await daemon.stop('SIGTERM');
  });
});
