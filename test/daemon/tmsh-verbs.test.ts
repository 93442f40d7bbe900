// What verbs of tmsh need a connection, an editor or a program for, against a configd of its own.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { EXECUTABLE } from '../support/executable.ts';

const state = mkdtempSync(join(tmpdir(), 'tmsh-verbs-'));
const daemon = spawn(process.execPath, [EXECUTABLE, 'run', 'configd', '--state', state], {
  stdio: ['ignore', 'pipe', 'inherit'],
});
let log = '';

before(async () => {
  daemon.stdout.on('data', (text: Buffer) => (log += text.toString()));
  await says(/configd serves/);
});
after(() => {
  daemon.kill('SIGKILL');
  rmSync(state, { recursive: true });
});

/** Waits until the log says so. */
async function says(pattern: RegExp): Promise<void> {
  while (!pattern.test(log)) {
    assert.equal(daemon.exitCode, null, log);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

type Given = { input?: string; editor?: string };

function tmsh(commands: readonly string[], { input, editor }: Given = {}): { status: number | null; output: string } {
  const args = [EXECUTABLE, 'tmsh', '--state', state, ...commands.flatMap((command) => ['-c', command])];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    encoding: 'utf8',
    // An editor leaves its temporary file where nobody else's are.
    env: { ...process.env, TMPDIR: state, VISUAL: '', EDITOR: editor ?? 'false' },
    ...(input === undefined ? {} : { input }),
  });
  return { status, output: stdout + stderr };
}

describe('tmsh with a configd', { timeout: 60_000 }, () => {
  it('keeps a transaction open for as long as the client is connected', () => {
    const commands = 'create cli transaction\ncreate net vlan a tag 7\nlist net vlan\ncreate net vlan b tag 8\n';
    const made = tmsh([], { input: `${commands}submit cli transaction\nlist net vlan one-line\n` });
    assert.deepEqual(made, {
      status: 0,
      output:
        'Transaction is open: changes wait for "submit cli transaction".\nnet vlan a { tag 7 }\nnet vlan b { tag 8 }\n',
    });
    assert.equal(tmsh([], { input: 'create cli transaction\ncreate net vlan lost tag 9\n' }).status, 0);
    const later = tmsh(['list net vlan one-line', 'submit cli transaction']);
    assert.equal(later.status, 1);
    assert.match(later.output, /^net vlan a \{ tag 7 \}\nnet vlan b \{ tag 8 \}\n01020036:3: No transaction is open\./);
  });

  it('remembers the folder between commands of one client', async () => {
    assert.equal(tmsh(['create sys folder sub', 'create net vlan sub/x tag 30']).status, 0);
    assert.equal(tmsh(['cd sub; pwd', 'list net vlan x one-line']).output, '/Common/sub\nnet vlan x { tag 30 }\n');
    assert.equal(tmsh(['pwd']).output, '/Common\n');
    assert.equal(tmsh(['cd sub', 'delete net vlan x', 'cd /Common; list net vlan sub/x']).status, 1);
    await says(/folder=\/Common\/sub module=\(tmos\)# status=\[Command OK\] cmd_data=delete net vlan x/);
  });

  it('edits objects in the editor that the environment names', () => {
    assert.equal(tmsh(['create net vlan e tag 40']).status, 0);
    const edited = tmsh(['edit net vlan e', 'list net vlan e one-line'], { editor: "sed -i 's/tag 40/mtu 1400/'" });
    assert.deepEqual(edited, { status: 0, output: 'net vlan e { mtu 1400 tag 40 }\n' });
    const mode = tmsh(['edit net vlan e'], { editor: 'stat -c %a' });
    assert.deepEqual(mode, { status: 0, output: '600\nNothing was changed.\n' });
    const wrong = tmsh(['edit net vlan e'], { editor: 'sed -i s/1400/14/' });
    assert.equal(wrong.status, 1);
    assert.match(wrong.output, /objects\.tmsh:2:9: 01070734:3: .*mtu must be an integer[^]*Nothing was changed/);
    const failed = tmsh(['edit net vlan e'], { editor: 'false' });
    assert.equal(failed.status, 1);
    assert.match(failed.output, /The editor \(false\) ended with status 1: nothing was changed/);
    assert.equal(tmsh(['list net vlan e mtu one-line']).output, 'net vlan e { mtu 1400 }\n');
    assert.deepEqual(
      readdirSync(state).filter((name) => name.startsWith('wideplane-edit')),
      [],
    );
  });

  it('does not overwrite what somebody else has changed while the editor was open', async () => {
    assert.equal(tmsh(['create net vlan busy tag 41', 'create net vlan calm tag 42']).status, 0);
    const meanwhile = `${process.execPath} ${EXECUTABLE} tmsh --state ${state} -c`;
    const editor = `f() { sed -i s/busy/busy/ "$1"; sed -i 's/tag 41/mtu 1400/' "$1"; ${meanwhile} 'modify net vlan busy mtu 1300'; }; f`;
    const refused = tmsh(['edit net vlan busy'], { editor });
    assert.equal(refused.status, 1);
    assert.match(
      refused.output,
      /01070734:3: .*net vlan \/Common\/busy has changed since it was opened for editing: \S+ did "modify net vlan busy mtu 1300" at 20\S+ \S+ UTC\.\n {2}Nothing was overwritten/,
    );
    const kept = /Your text is kept in (\S+)/.exec(refused.output)?.[1] ?? '';
    assert.match(readFileSync(kept, 'utf8'), /mtu 1400/);
    rmSync(dirname(kept), { recursive: true });
    assert.equal(tmsh(['list net vlan busy one-line']).output, 'net vlan busy { mtu 1300 tag 41 }\n');
    // A change to something else is none of its business.
    const other = editor.replace('modify net vlan busy mtu', 'modify net vlan calm mtu');
    assert.equal(tmsh(['edit net vlan busy'], { editor: other.replace('tag 41', 'mtu 1300') }).status, 0);
    assert.equal(tmsh(['list net vlan busy one-line']).output, 'net vlan busy { mtu 1400 tag 41 }\n');
    await says(/status=\[01070734:3: [^\]]*has changed since[^\]]*\] cmd_data=edit net vlan busy/);
  });

  it('runs programs of this host without configd', async () => {
    assert.deepEqual(tmsh(["run util bash -c 'echo a; echo b'"]), { status: 0, output: 'a\nb\n' });
    assert.equal(tmsh(['run util bash -c "exit 3"']).status, 1);
    assert.equal(tmsh(['run util reboot']).status, 1);
    assert.equal(tmsh(['create net vlan last']).status, 0);
    await says(/cmd_data=create net vlan last/);
    assert.doesNotMatch(log, /status=\[Command OK\] cmd_data=run/);
  });
});
