// Keys of IPsec over a whole run: typed, pasted, mistyped, loaded, saved, lost and found again, and nowhere to be read.

import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, describe, it } from 'node:test';
import { ConfigdProcess, killRunning, tmsh } from '../support/configd-process.ts';
import { Terminal } from '../support/terminal.ts';
import { RunningUp, eventually } from './supervise/running-up.ts';
import { EXECUTABLE } from '../support/executable.ts';

const CORE_PATTERN = '/proc/sys/kernel/core_pattern';

const root = mkdtempSync(join(tmpdir(), 'secrets-'));
afterEach(killRunning);
after(() => rmSync(root, { recursive: true }));

/** Each is 20 octets long, as AES-GCM with 128 bits wants it, and is found by a part of it that stands nowhere else. */
const SENTINELS = {
  inFile: 'Sentinel-inFile-0001',
  typed: 'Sentinel-typed--0002',
  hex: `0x${Buffer.from('Sentinel-hexed--0003').toString('hex').toUpperCase()}`,
  modified: 'Sentinel-changed0004',
  waiting: 'Sentinel-waiting0005',
  shell: 'Sentinel-atshell0006',
  refused: 'Sentinel-refused',
  unclosed: 'Sentinel-unclosed',
  severalWords: 'Sentinel-several',
};

/** What a sentinel looks like in text, hexadecimal and Base64. */
function formsOf(sentinel: string): string[] {
  const octets = sentinel.startsWith('0x') ? Buffer.from(sentinel.slice(2), 'hex') : Buffer.from(sentinel);
  // Base64 of what stands in front shifts it: three forms, without the characters at the ends.
  const base64 = [0, 1, 2].map((lead) =>
    Buffer.concat([Buffer.alloc(lead), octets])
      .toString('base64')
      .slice(4, -4),
  );
  const hex = octets.toString('hex');
  return [octets.toString('latin1'), hex, hex.toUpperCase(), ...base64];
}

function* filesBelow(directory: string): Generator<string> {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) yield* filesBelow(path);
    else if (entry.isFile()) yield path;
  }
}

/** Where sentinels stand in what was written: the place and the name of the sentinel. */
function leaks(texts: ReadonlyMap<string, string>): string[] {
  return Object.entries(SENTINELS).flatMap(([name, sentinel]) =>
    formsOf(sentinel).flatMap((form) =>
      [...texts].flatMap(([place, text]) => (text.includes(form) ? [`${name} in ${place}`] : [])),
    ),
  );
}

const POLICY = `net ipsec ipsec-policy out { mode tunnel tunnel-local-address 192.0.2.1 tunnel-remote-address 198.51.100.1 }`;
const association = (name: string, spi: number, key: string): string =>
  `net ipsec manual-security-association ${name} { source-address 192.0.2.1 destination-address 198.51.100.1 spi ${spi} ` +
  `auth-algorithm aes-gcm128 encrypt-algorithm aes-gcm128 encrypt-key ${key} ipsec-policy out }`;

describe('secrets', { timeout: 180_000 }, () => {
  it('are found where they are written down in clear: the search works', () => {
    for (const [name, sentinel] of Object.entries(SENTINELS)) {
      for (const form of formsOf(sentinel)) assert.ok(form.length >= 12, form);
      assert.deepEqual([...new Set(leaks(new Map([['here', `x${sentinel}y`]])))], [`${name} in here`]);
      const encoded = Buffer.from(`xx ${sentinel.startsWith('0x') ? 'Sentinel-hexed--0003' : sentinel} y`).toString(
        'base64',
      );
      assert.deepEqual([...new Set(leaks(new Map([['here', encoded]])))], [`${name} in here`]);
    }
  });

  it('stand in no file, log, history, listing or message of a run', async () => {
    const home = join(root, 'home');
    const state = join(root, 'state');
    mkdirSync(home);
    mkdirSync(state, { mode: 0o700 });
    const config = join(home, 'wideplane.conf');
    writeFileSync(config, `${POLICY}\n${association('in-file', 300, `"${SENTINELS.inFile}"`)}\n`);
    const said = new Map<string, string>();
    const type = (...commands: string[]): string => {
      const { stdout, stderr } = tmsh(
        state,
        commands.flatMap((command) => ['-c', command]),
      );
      said.set(`answer ${said.size}`, stdout + stderr);
      return stdout + stderr;
    };
    const up = new RunningUp(state, { config });
    try {
      await up.ready();
      await up.daemon('configd');
      assert.equal(type(`create ${association('typed', 301, `"${SENTINELS.typed}"`)}`), '');
      assert.equal(type(`create ${association('hexed', 302, SENTINELS.hex)}`), '');
      assert.equal(type(`modify net ipsec manual-security-association hexed encrypt-key "${SENTINELS.modified}"`), '');
      assert.match(type(`create ${association('bad', 303, `"${SENTINELS.refused}"`)}`), /needs a key of 20 octets/);
      assert.match(type(`create ${association('bad', 303, `"${SENTINELS.refused}" bogus`)}`), /more behind it/);
      assert.match(
        type(`create ${association('bad', 303, `x ${SENTINELS.severalWords} ${SENTINELS.severalWords}`)}`),
        /more/,
      );
      assert.match(type(`creat ${association('bad', 303, `"${SENTINELS.refused}"`)}`), /unexpected argument "creat"/);
      assert.match(type(`create ${association('bad', 303, `"${SENTINELS.unclosed}`)}`), /Syntax Error/);
      const batch = ['create cli transaction', `create ${association('waits', 304, `"${SENTINELS.waiting}"`)}`];
      const { stdout, stderr } = tmsh(
        state,
        [],
        [...batch, 'list cli transaction', 'submit cli transaction'].join('\n'),
      );
      said.set('transaction', stdout + stderr);

      const terminal = new Terminal({
        socket: join(root, 'tmux'),
        command: `cd '${home}'; '${process.execPath}' '${EXECUTABLE}' tmsh --state '${state}'`,
        env: { HOME: home, PAGER: '' },
      });
      try {
        await terminal.shows(/\(tmos\)#/);
        terminal.enter(`create ${association('shell', 305, `"${SENTINELS.shell}"`)}`);
        await eventually('typed at the shell', () => type('list net ipsec').includes('spi 305'));
        terminal.enter('list net vlan');
        const history = join(home, '.wideplane_tmsh_history');
        await eventually('the history', () => existsSync(history) && readFileSync(history, 'utf8').includes('vlan'));
      } finally {
        terminal.end();
      }

      const names = ['in-file', 'typed', 'hexed', 'waits', 'shell'];
      const listing = type('list net ipsec manual-security-association');
      for (const name of names) {
        assert.match(
          listing,
          new RegExp(`association ${name} \\{[^}]*encrypt-key \\$M\\$[0-9a-f]{8}\\$[A-Za-z0-9_-]+\n`),
        );
      }
      type('list net ipsec all-properties', 'list net ipsec one-line', 'show running-config net ipsec');
      assert.match(type('save sys config'), /Saving/);
      type('modify net ipsec manual-security-association typed description again', 'save sys config');
      assert.doesNotMatch(type('load sys config'), /error/i);
      type('list sys config history', 'load sys config rollback 1', 'show sys config status', 'load sys config');
      for (const daemon of ['configd', 'dataplaned']) {
        const pid = await up.daemon(daemon);
        assert.match(readFileSync(`/proc/${pid}/limits`, 'utf8'), /^Max core file size +0 +0 /m, daemon);
        process.kill(pid, 'SIGKILL');
        await eventually(`another ${daemon}`, async () => (await up.daemon(daemon)) !== pid, 30_000);
      }
      assert.equal(
        type('list net ipsec manual-security-association'),
        type('list net ipsec manual-security-association'),
      );
      assert.match(type('list net ipsec manual-security-association typed'), /description again/);
    } finally {
      await up.stop();
    }
    said.set('log', up.log.map((line) => JSON.stringify(line)).join('\n'));
    const files = [...filesBelow(root)].map((path) => [path, readFileSync(path, 'latin1')] as const);
    const paths = files.map(([path]) => path);
    for (const expected of [/history\/00001/, /dataplaned\/config\.snapshot/, /wideplane\.conf$/, /_tmsh_history$/]) {
      assert.ok(
        paths.some((path) => expected.test(path)),
        `${String(expected)} in ${paths.join(' ')}`,
      );
    }
    assert.match(said.get('log')!, /AUDIT .*encrypt-key \*{8}/);
    assert.deepEqual(leaks(new Map([...said, ...files])), []);

    const masterKey = join(state, 'master.key');
    assert.equal(statSync(masterKey).mode & 0o777, 0o600);
    const master = readFileSync(masterKey, 'utf8').trim();
    const others = [...said, ...files.filter(([path]) => path !== masterKey)];
    assert.deepEqual(
      others.filter(([, text]) => text.includes(master)).map(([place]) => place),
      [],
    );
  });

  it('leave no core file, even where core files are asked for', async () => {
    assert.match(readFileSync(CORE_PATTERN, 'utf8'), /^core/, 'this test looks for core files where processes run');
    const directory = mkdtempSync(join(root, 'cores-'));
    const state = join(directory, 'state');
    mkdirSync(state, { mode: 0o700 });
    const config = join(directory, 'wideplane.conf');
    writeFileSync(config, '');
    const cores = (): string[] => readdirSync(directory).filter((name) => name.startsWith('core'));
    const shell = ['bash', '-c', `cd '${directory}'; ulimit -c unlimited; exec "$@"`, 'bash'];

    // One that does not protect itself leaves one: otherwise nothing would be shown here.
    const plain = new RunningUp(state, { config, prefix: [...shell, 'bash', '-c', 'kill -ABRT $$', 'bash'] });
    await plain.exit();
    assert.equal(cores().length, 1);
    rmSync(join(directory, cores()[0]!));

    const up = new RunningUp(state, { config, prefix: shell });
    try {
      await up.ready();
      for (const daemon of ['configd', 'dataplaned']) {
        const pid = await up.daemon(daemon);
        process.kill(pid, 'SIGSEGV');
        await eventually(`another ${daemon}`, async () => (await up.daemon(daemon)) !== pid, 30_000);
      }
    } finally {
      await up.stop();
    }
    assert.deepEqual(cores(), []);
  });

  it('of another machine are refused with the name of the file that is missing', async () => {
    const directory = mkdtempSync(join(root, 'moved-'));
    const [here, there] = [join(directory, 'here'), join(directory, 'there')];
    const config = join(directory, 'wideplane.conf');
    writeFileSync(config, `${POLICY}\n${association('in-file', 300, `"${SENTINELS.inFile}"`)}\n`);
    const first = await new ConfigdProcess(here, config).ready();
    const saved = join(directory, 'saved.conf');
    assert.equal(tmsh(here, ['-c', `save sys config file ${saved}`]).status, 0);
    await first.stop('SIGTERM');

    const second = new ConfigdProcess(there, saved);
    assert.notEqual(await second.ended(), 0);
    assert.match(
      second.log,
      /encrypt-key was masked with master key [0-9a-f]{8}, but \S+there\/master\.key holds [0-9a-f]{8}/,
    );
    writeFileSync(join(there, 'master.key'), readFileSync(join(here, 'master.key')));
    const third = await new ConfigdProcess(there, saved).ready();
    assert.match(tmsh(there, ['-c', 'list net ipsec']).stdout, /encrypt-key \$M\$/);
    await third.stop('SIGTERM');

    writeFileSync(join(there, 'master.key'), 'nonsense');
    const fourth = new ConfigdProcess(there, saved);
    assert.notEqual(await fourth.ended(), 0);
    assert.match(fourth.log, /there\/master\.key is no master key/);
  });
});
