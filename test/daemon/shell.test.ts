// The interactive shell in a real terminal, typed at as a person would, against a configd of its own.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { IpcClient } from '../../src/ipc/ipc-client.ts';
import { Terminal } from '../support/terminal.ts';
import { EXECUTABLE } from '../support/executable.ts';

const HOST = hostname().split('.')[0]!;
const USER = userInfo().username;

const CONFIG = `
net interface 1.1 { device eth1 }
net interface 1.2 { device eth2 }
net vlan wan { interfaces { 1.1 { } } tag 9 }
net vlan /Other/guest { tag 12 }
net self wan-self { address 10.9.1.1/24 vlan wan }
`;

const root = mkdtempSync(join(tmpdir(), 'shell-'));
const state = join(root, 'state');
const config = join(root, 'wideplane.conf');
const historyFile = join(root, '.wideplane_tmsh_history');
const terminals: Terminal[] = [];
let configd: ChildProcess;

async function startConfigd(): Promise<void> {
  configd = spawn(process.execPath, [EXECUTABLE, 'run', 'configd', '--state', state, '--config', config], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let log = '';
  configd.stdout!.on('data', (text: Buffer) => (log += text.toString()));
  while (!log.includes('configd serves')) {
    assert.equal(configd.exitCode, null, log);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function stopConfigd(): Promise<void> {
  const ended = new Promise((resolve) => configd.once('exit', resolve));
  configd.kill('SIGTERM');
  await ended;
}

type Place = { rows?: number; directory?: string; flags?: string; env?: Readonly<Record<string, string>> };

/** A shell that has shown its prompt. */
async function openShell({ rows = 40, directory = root, flags = '', env = {} }: Place = {}): Promise<Terminal> {
  const terminal = new Terminal({
    socket: join(root, `tmux${terminals.length}`),
    command: `cd '${directory}'; '${process.execPath}' '${EXECUTABLE}' tmsh --state '${state}' ${flags}`,
    env: { HOME: root, PAGER: '', ...env },
    rows,
  });
  terminals.push(terminal);
  await terminal.shows(/\(tmos\)#$/);
  return terminal;
}

before(async () => {
  writeFileSync(config, CONFIG);
  await startConfigd();
});
after(async () => {
  for (const terminal of terminals) terminal.end();
  await stopConfigd();
  rmSync(root, { recursive: true, force: true });
});

describe('the shell', { timeout: 240_000 }, () => {
  it('has the prompt of a BIG-IP, which says when nothing is done with the configuration', async () => {
    const terminal = await openShell();
    const prompt = (failover: string) => `${USER}@(${HOST})(cfg-sync Standalone)(${failover})(/Common)(tmos)#`;
    assert.equal(terminal.screen(), prompt('INOPERATIVE'));
    const daemon = await IpcClient.connect(join(state, 'configd.sock'));
    const updates = daemon.stream('subscribe', { daemon: 'dataplaned' });
    await updates.next();
    terminal.press('Enter');
    await terminal.shows(/\(Active\)/);
    assert.equal(terminal.screen(), `${prompt('INOPERATIVE')}\n${prompt('Active')}`);
    daemon.close();
    terminal.enter('quit');
    await terminal.shows(/\[ended with 0\]$/);
  });

  it('completes with Tab: words, names, values, and runs what came of it', async () => {
    const terminal = await openShell();
    terminal.type('cre');
    terminal.press('Tab');
    await terminal.shows(/# create$/);
    terminal.type('ne');
    terminal.press('Tab');
    terminal.type('vlan a mt');
    terminal.press('Tab');
    await terminal.shows(/# create net vlan a mtu$/);
    terminal.type('1400 source');
    terminal.press('Tab');
    terminal.type('en');
    terminal.press('Tab', 'Enter');
    await terminal.shows(/source-checking enabled\n\S+ \S+#$/);
    await terminal.clear();
    terminal.type('list net vlan a mtu source-ch');
    terminal.press('Tab', 'Enter');
    await terminal.shows(/net vlan a \{\n {4}mtu 1400\n {4}source-checking enabled\n\}\n\S+ \S+#$/);
    await terminal.clear();
    terminal.type('modify net self w');
    terminal.press('Tab');
    terminal.type('vlan ');
    await terminal.shows(/# modify net self wan-self vlan$/);
    terminal.press('C-c');
  });

  it('completes names of files where one is expected, with the eyes of whoever types', async () => {
    mkdirSync(join(root, 'files/deep'), { recursive: true });
    for (const name of ['one.conf', 'other.conf', 'two words.conf', '.hidden', 'deep/inner.conf'])
      writeFileSync(join(root, 'files', name), 'net vlan from-file { tag 61 }\n');
    const terminal = await openShell({ directory: join(root, 'files') });
    terminal.type('load sys config file o');
    terminal.press('Tab', 'Tab');
    await terminal.shows(/^Files:\n {2}one\.conf +other\.conf\n[^]*# load sys config file o$/m);
    terminal.press('C-u');
    terminal.type('load sys config merge file ?');
    const screen = await terminal.shows(/^Files:\n {2}"two words\.conf" +deep\/ +one\.conf +other\.conf\n/m);
    assert.match(screen, /^Values:\n {2}\[file\] +a file name$/m);
    assert.doesNotMatch(screen, /hidden/);
    // Into a directory and on, without a space between.
    terminal.type('de');
    terminal.press('Tab', 'Tab');
    await terminal.shows(/# load sys config merge file deep\/inner\.conf$/);
    terminal.press('Enter');
    await terminal.shows(/Loading configuration\.\.\.\n[^]*inner\.conf\n[^]*#$/);
    await terminal.clear();
    terminal.type('list net vlan from-file tag one-line');
    terminal.press('Enter');
    await terminal.shows(/net vlan from-file \{ tag 61 \}/);
    await terminal.clear();
    terminal.type('load sys config verify file tw');
    terminal.press('Tab');
    terminal.type('merge');
    terminal.press('Enter');
    await terminal.shows(
      /# load sys config verify file "two words\.conf" merge\nValidating[^]*two words\.conf\n[^]*#$/,
    );
    await terminal.clear();
    terminal.type(`save sys config file ${root}/files/sa`);
    terminal.press('Tab');
    terminal.type('ved');
    terminal.press('Enter');
    await terminal.shows(/Saving running configuration\.\.\.\n[^]*files\/saved\n/);
    await terminal.clear();
    terminal.type(`create net interface 9.9 replay-file ${root}/files/sav`);
    terminal.press('Tab');
    await terminal.shows(/files\/saved$/);
    terminal.press('C-u');
    terminal.enter('delete net vlan from-file');
  });

  it('lists what fits at the second Tab, with help, and goes on where it was', async () => {
    const terminal = await openShell();
    terminal.type('create net vlan b fail');
    terminal.press('Tab');
    await terminal.shows(/# create net vlan b failsafe$/);
    terminal.press('Tab');
    terminal.press('Tab');
    const screen = await terminal.shows(/failsafe-timeout {2}[^]*# create net vlan b failsafe$/);
    assert.match(screen, /^Properties:\n {2}failsafe {10}Fail over when the VLAN is silent\./m);
    terminal.type('-t');
    terminal.press('Tab');
    await terminal.shows(/# create net vlan b failsafe-timeout$/);
    terminal.press('C-c');
    await terminal.shows(/failsafe-timeout \^C\n\S+ \S+#$/);
  });

  it('helps at ? without Enter at every position, and keeps the line', async () => {
    const terminal = await openShell();
    terminal.type('?');
    await terminal.shows(/^Commands:\n[^]*^ {2}create +Make a new object\.[^]*^Modules:\n[^]*^ {2}net [^]*\(tmos\)#$/m);
    await terminal.clear();
    terminal.type('modify ?');
    await terminal.shows(/^Modules:\n[^]*^ {2}ltm [^]*# modify$/m);
    await terminal.clear();
    terminal.type('net vlan ?');
    await terminal.shows(/^VLAN names:\n(?: {2}a)? +\/?[^]*wan[^]*# modify net vlan$/m);
    await terminal.clear();
    terminal.type('wan ta?');
    await terminal.shows(/^Properties:\n {2}tag +The 802\.1Q VLAN ID[^]*# modify net vlan wan ta$/m);
    await terminal.clear();
    terminal.type('g ?');
    await terminal.shows(/^Values:\n {2}\[an integer from 1 to 4094\][^]*# modify net vlan wan tag$/m);
    await terminal.clear();
    terminal.type('33 bogus ?');
    await terminal.shows(/^Syntax Error: unexpected argument "bogus"\n/m);
    await terminal.clear();
    // In the middle of a line, the cursor stays where it was.
    for (let left = 0; left < 'bogus '.length; left++) terminal.press('Left');
    terminal.type('?');
    await terminal.shows(/^Properties:\n[^]*# modify net vlan wan tag 33 bogus$/m);
    terminal.type('mtu 1450 ');
    terminal.press('End', 'C-w', 'Enter');
    await terminal.shows(/tag 33 mtu 1450\n\S+ \S+#$/);
    await terminal.clear();
    terminal.enter('list net vlan wan tag mtu one-line');
    await terminal.shows(/net vlan wan \{ tag 33 mtu 1450 \}/);
  });

  it('takes ? in quotes and in what is pasted as text, tabs too', async () => {
    const terminal = await openShell();
    terminal.enter('modify net vlan wan description "who? me?"');
    terminal.enter('list net vlan wan description one-line');
    await terminal.shows(/\{ description "who\? me\?" \}\n\S+ \S+#$/);
    await terminal.clear();
    terminal.paste('create net vlan pasted {\n\tdescription really?\n\ttag 44\n}\nlist net vlan pasted\n');
    await terminal.shows(/net vlan pasted \{\n {4}description really\?\n {4}tag 44\n\}\n\S+ \S+#$/);
  });

  it('goes on over lines while a brace is open, helps there, and remembers the whole', async () => {
    const terminal = await openShell();
    terminal.enter('create net vlan lines {');
    await terminal.shows(/\n\.\.\.$/);
    terminal.enter('tag 55');
    terminal.type('mt?');
    await terminal.shows(/^Properties:\n {2}mtu [^]*\n\.\.\. mt$/m);
    terminal.enter('u 1300');
    terminal.enter('}');
    await terminal.shows(/\n\.\.\. \}\n\S+ \S+#$/);
    terminal.press('Up');
    await terminal.shows(/# create net vlan lines \{ tag 55 mtu 1300 \}$/);
    terminal.press('C-u');
    terminal.enter('delete net vlan {');
    await terminal.shows(/\n\.\.\.$/);
    terminal.press('C-c');
    await terminal.shows(/\^C\n\S+ \S+#$/);
    terminal.enter('list net vlan lines mtu one-line');
    await terminal.shows(/net vlan lines \{ mtu 1300 \}/);
  });

  it('goes to folders and modules and leaves them', async () => {
    const terminal = await openShell();
    terminal.type('cd /O');
    terminal.press('Tab', 'Enter');
    await terminal.shows(/\(\/Other\)\(tmos\)#$/);
    terminal.enter('pwd');
    terminal.enter('list net vlan guest tag one-line');
    await terminal.shows(/\n\/Other\n[^]*net vlan guest \{ tag 12 \}\n/);
    terminal.enter('cd /nowhere');
    await terminal.shows(/01020036:3: The requested folder \(\/nowhere\) was not found\./);
    terminal.enter('net');
    await terminal.shows(/\(\/Other\)\(tmos\.net\)#$/);
    terminal.enter('vlan');
    await terminal.shows(/\(\/Other\)\(tmos\.net\.vlan\)#$/);
    await terminal.clear();
    terminal.type('list gu');
    terminal.press('Tab');
    terminal.enter('tag');
    await terminal.shows(/net vlan guest \{\n {4}tag 12\n\}/);
    terminal.enter('exit');
    await terminal.shows(/\(tmos\.net\)#$/);
    terminal.enter('/');
    await terminal.shows(/\(\/Other\)\(tmos\)#$/);
    terminal.enter('exit');
    await terminal.shows(/\[ended with 0\]$/);
  });

  it('remembers commands over sessions in a file of its owner', async () => {
    const terminal = await openShell();
    terminal.enter('list net vlan wan tag');
    terminal.enter('show sys config status');
    await terminal.shows(/Sys::Config[^]*#$/);
    terminal.press('Up', 'Up');
    await terminal.shows(/# list net vlan wan tag$/);
    terminal.press('C-c');
    terminal.press('C-d');
    await terminal.shows(/\[ended with 0\]$/);
    assert.equal(statSync(historyFile).mode & 0o777, 0o600);
    assert.match(readFileSync(historyFile, 'utf8'), /list net vlan wan tag\nshow sys config status\n$/);
    const next = await openShell();
    next.press('Up');
    await next.shows(/# show sys config status$/);
  });

  it('stops long output after each page until q, unless told not to', async () => {
    const terminal = await openShell({ rows: 12 });
    terminal.enter('list net vlan all-properties');
    await terminal.shows(/---\(less[^\n]*\)---$/);
    const first = terminal.screen();
    terminal.type(' ');
    await terminal.shows(/---\(less[^\n]*\)---$/);
    while (terminal.screen() === first) await new Promise((resolve) => setTimeout(resolve, 30));
    terminal.type('q');
    await terminal.shows(/\(tmos\)#$/);
    terminal.enter('pwd');
    await terminal.shows(/\n\/Common\n\S+ \S+#$/);
    const quiet = await openShell({ rows: 12, flags: '-q' });
    quiet.enter('list net vlan all-properties');
    await quiet.shows(/\}\n\S+ \S+\(tmos\)#$/);
  });

  it('lends the terminal to an editor and to a program of the host, and takes it back', async () => {
    const editor = join(root, 'editor');
    writeFileSync(editor, '#!/bin/sh\necho which tag\nread -r word\nsed -i "s/tag .*/tag $word/" "$1"\n', {
      mode: 0o755,
    });
    const terminal = await openShell({ env: { EDITOR: editor, VISUAL: '' } });
    terminal.enter('edit net vlan /Other/guest');
    await terminal.shows(/\nwhich tag$/);
    terminal.enter('31');
    await terminal.shows(/\n31\n\S+ \S+#$/);
    terminal.enter('list net vlan /Other/guest tag one-line');
    await terminal.shows(/net vlan \/Other\/guest \{ tag 31 \}\n\S+ \S+#$/);
    await terminal.clear();
    terminal.enter("run util bash -c 'echo here; sleep infinity'");
    await terminal.shows(/\nhere$/);
    terminal.press('C-c');
    await terminal.shows(/\nhere\n\S+ \S+#$/);
    terminal.enter('modify net vlan /Other/guest tag 12');
    terminal.enter('create cli transaction');
    await terminal.shows(/\n\[batch mode\]\S+ \S+#$/);
    terminal.enter('delete cli transaction');
    await terminal.shows(/delete cli transaction\n(?!\[)\S+ \S+#$/);
  });

  it('loads what is typed or pasted up to Ctrl-D, as it is on a BIG-IP', async () => {
    const terminal = await openShell();
    terminal.enter('load sys config from-terminal merge');
    await terminal.shows(/\nEnter configuration\. Press CTRL-D to submit or CTRL-C to cancel\.$/);
    terminal.paste('net vlan /Common/typed {\n    description "is it?"\n    tag 71\n}\nltm nat /Common/n {\n');
    terminal.enter('    address 10.0.0.1');
    terminal.enter('}');
    terminal.press('C-d');
    const screen = await terminal.shows(/Loading configuration\.\.\.\n {2}terminal\n[^]*\(tmos\)#$/);
    assert.match(screen, /Warning: terminal:5:1: object "ltm nat \/Common\/n" is of a type that is not known/);
    await terminal.clear();
    terminal.enter('load sys config from-terminal merge');
    terminal.enter('net vlan /Common/typed { tag 5000 }');
    terminal.press('C-d');
    await terminal.shows(
      /terminal:1:30: 01070734:3: [^\n]*tag must be an integer from 1 to 4094, not "5000"\.\n[^]*#$/,
    );
    await terminal.clear();
    terminal.enter('load sys config from-terminal merge');
    terminal.type('net vlan /Common/given { tag 72 }');
    terminal.press('C-c');
    await terminal.shows(/\^C\n\S+ \S+#$/);
    await terminal.clear();
    terminal.enter('list net vlan typed tag one-line');
    await terminal.shows(/net vlan typed \{ tag 71 \}\n/);
    terminal.press('Up', 'Up');
    await terminal.shows(/# load sys config from-terminal merge$/);
    terminal.press('C-c');
    terminal.enter('list net vlan given');
    await terminal.shows(/The requested VLAN \(\/Common\/given\) was not found/);
    const run = (input: string, ...args: string[]) =>
      spawnSync(process.execPath, [EXECUTABLE, 'tmsh', '--state', state, ...args], { encoding: 'utf8', input });
    const text = 'net vlan /Common/piped {\n    tag 73\n}\n';
    assert.equal(run(text, '-q', '-c', 'load sys config from-terminal merge').status, 0);
    const after = run(`modify net vlan piped tag 74\nload /sys config merge from-terminal\n${text}`);
    assert.deepEqual([after.status, after.stderr], [0, '']);
    assert.match(run('', 'list', 'net', 'vlan', 'piped').stdout, /tag 73/);
    const refused = run('net vlan x { tag 1 } }\n', '-c', 'load sys config from-terminal merge');
    assert.equal(refused.status, 1);
    assert.match(refused.stderr, /^terminal:1:22: Syntax Error: /);
    run('', '-c', 'delete net vlan { typed piped }');
  });

  it('says what failed, says that configd has gone, and goes on when it is back', async () => {
    const terminal = await openShell();
    terminal.enter('modify net vlan nothere mtu 1500');
    await terminal.shows(/The requested VLAN \(\/Common\/nothere\) was not found\.\n[^]*#$/);
    await stopConfigd();
    terminal.enter('list net vlan wan');
    await terminal.shows(
      /not running\n {2}Start it with: wideplane up\n\S+\(cfg-sync Disconnected\)\(INOPERATIVE\)\S+#$/,
    );
    terminal.type('list ?');
    await terminal.shows(/cannot reach configd at [^\n]*\n\S+ \S+# list$/);
    await startConfigd();
    await terminal.clear();
    terminal.enter('net vlan wan tag one-line');
    await terminal.shows(/net vlan wan \{ tag \d+ \}\n\S+\(cfg-sync Standalone\)\S+#$/);
  });

  it('is no shell where the command stands on the command line', () => {
    const run = (...args: string[]) =>
      spawnSync(process.execPath, [EXECUTABLE, 'tmsh', '--state', state, ...args], { encoding: 'utf8' });
    const listed = run('-q', 'list', 'net', 'vlan', '/Other/guest', 'tag', 'one-line');
    assert.deepEqual([listed.status, listed.stdout], [0, 'net vlan /Other/guest { tag 12 }\n']);
    const refused = run(
      '-q',
      '-c',
      'cd /Other',
      '-c',
      'list net vlan guest tag one-line',
      '-c',
      'list net vlan nothere',
    );
    assert.deepEqual([refused.status, refused.stdout], [1, 'net vlan guest { tag 12 }\n']);
  });

  it('leaves the terminal as it was', async () => {
    const terminal = await openShell();
    terminal.press('C-d');
    await terminal.shows(/\[ended with 0\]$/);
    assert.ok(existsSync(historyFile));
    terminal.type('echoed');
    await terminal.shows(/echoed$/);
  });
});
