// What configd keeps: the versions that saves have replaced, and a line for every change.

import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, describe, it } from 'node:test';
import { encodeMessage } from '../../src/ipc/framing.ts';
import { SCHEMA_VERSION } from '../../src/ipc/schema.ts';
import { ConfigdProcess, killRunning, tmsh } from '../support/configd-process.ts';

const root = mkdtempSync(join(tmpdir(), 'config-history-'));
afterEach(killRunning);
after(() => rmSync(root, { recursive: true }));

function place(): { state: string; config: string; history: string } {
  const directory = mkdtempSync(join(root, 'd'));
  const state = join(directory, 'state');
  return { state, config: join(directory, 'wideplane.conf'), history: join(state, 'configd', 'history') };
}

/** The rows of `list sys config history`, cells apart. */
function historyOf(state: string): string[][] {
  const lines = tmsh(state, ['-c', 'list sys config history']).stdout.split('\n');
  const rows = lines.slice(lines.findIndex((line) => line.startsWith('Version')) + 1);
  return rows.filter((line) => line.trim() !== '').map((line) => line.trim().split(/\s+/));
}

describe('the history of the configuration', { timeout: 120_000 }, () => {
  it('keeps what saves replace, lists it, and goes back to it', async () => {
    const { state, config, history } = place();
    writeFileSync(config, '#TMSH-VERSION: 0.0.7\n\nnet vlan by-hand { tag 9 }\n', { mode: 0o644 });
    const daemon = await new ConfigdProcess(state, config).ready();
    assert.equal(tmsh(state, ['-c', 'list sys config history']).stdout, 'Sys::Config History: no records\n');
    tmsh(state, ['-c', 'create net vlan a tag 1', '-c', 'create net vlan b tag 2', '-c', 'save sys config']);
    tmsh(state, ['-c', 'save sys config', '-c', 'delete net vlan by-hand', '-c', 'save sys config']);

    const rows = historyOf(state);
    const columns = rows.map(([version, , user, program, octets, , changed]) => [
      version,
      user,
      program,
      octets,
      changed,
    ]);
    const [first, second] = readdirSync(history).sort();
    const own = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
    const who = columns[0]![1]!;
    assert.deepEqual(columns, [
      ['current', who, own.version, String(statSync(config).size), '2'],
      ['2', who, own.version, String(statSync(join(history, second!)).size), '4'],
      ['1', '-', '0.0.7', '49', '-'],
    ]);
    assert.match(rows[0]![1]!, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    assert.match(first!, /^00001-\d{8}T\d{6}Z\.conf$/);
    assert.equal(readFileSync(join(history, first!), 'utf8').split('\n').at(-2), 'net vlan by-hand { tag 9 }');
    assert.equal(statSync(join(history, first!)).mode & 0o777, 0o600);

    const verify = tmsh(state, ['-c', 'load sys config rollback 1 verify', '-c', 'list net vlan one-line']);
    assert.equal(verify.stdout.split('\n')[0], 'Validating configuration...');
    assert.match(verify.stdout, /net vlan a \{ tag 1 \}\nnet vlan b \{ tag 2 \}\n$/);
    const saved = readFileSync(config, 'utf8');
    const back = tmsh(state, ['-c', 'load sys config rollback 1', '-c', 'list net vlan one-line']);
    assert.deepEqual(back, {
      status: 0,
      stderr: '',
      stdout: `Loading configuration...\n  ${join(history, first!)}\nVersion 1 runs; save sys config keeps it.\nnet vlan by-hand { tag 9 }\n`,
    });
    assert.equal(readFileSync(config, 'utf8'), saved);
    tmsh(state, ['-c', 'save sys config']);
    assert.deepEqual(
      historyOf(state).map(([version]) => version),
      ['current', '3', '2', '1'],
    );
    assert.equal(await daemon.stop('SIGTERM'), 0);

    const again = await new ConfigdProcess(state, config).ready();
    assert.deepEqual(historyOf(state)[1]?.slice(2), rows[0]!.slice(2));
    await again.stop('SIGTERM');
  });

  it('refuses versions that are not there or cannot be loaded, and changes nothing', async () => {
    const { state, config, history } = place();
    writeFileSync(config, 'net vlan a { tag 1 }\n');
    const daemon = await new ConfigdProcess(state, config).ready();
    tmsh(state, ['-c', 'modify net vlan a tag 2', '-c', 'save sys config']);
    assert.equal(
      tmsh(state, ['-c', 'load sys config rollback 7']).stderr,
      '01020036:3: The requested version of the configuration (7) was not found.\n' +
        '  list sys config history shows those that exist.\n',
    );
    for (const [command, said] of [
      ['load sys config rollback x', /version of the configuration \(x\) was not found/],
      ['load sys config rollback', /missing/],
      ['load sys config rollback 1 file /etc/hosts', /Syntax Error: file and rollback exclude each other/],
    ] as const) {
      const refused = tmsh(state, ['-c', command]);
      assert.equal(refused.status, 1);
      assert.match(refused.stderr, said);
    }
    const version = join(history, readdirSync(history)[0]!);
    writeFileSync(version, 'net vlan a { tag 3 }\nnet vlan b { tag 0 }\nnet vlan c { mtu 1 }\n');
    const broken = tmsh(state, ['-c', 'load sys config rollback 1']);
    assert.equal(broken.status, 1);
    assert.match(broken.stderr, /00001-\S+\.conf:2:\d+: 01070734:3: [^]*00001-\S+\.conf:3:\d+: /);
    writeFileSync(version, '#TMSH-VERSION: 9.0\n#WIDEPLANE-FORMAT: 12\n');
    assert.match(tmsh(state, ['-c', 'load sys config rollback 1']).stderr, /:2:1: .*is in format 12, and this version/);
    rmSync(version);
    assert.match(tmsh(state, ['-c', 'load sys config rollback 1']).stderr, /^version 1 is gone: there is no /);
    assert.equal(tmsh(state, ['-c', 'list net vlan one-line']).stdout, 'net vlan a { tag 2 }\n');
    await daemon.stop('SIGTERM');
  });

  it('holds ten versions', async () => {
    const { state, config, history } = place();
    writeFileSync(config, 'net vlan a { tag 1 }\n');
    const daemon = await new ConfigdProcess(state, config).ready();
    const commands = Array.from({ length: 14 }, (_, index) => `modify net vlan a tag ${index + 2}\nsave sys config\n`);
    assert.equal(tmsh(state, [], commands.join('')).status, 0);
    assert.deepEqual(
      historyOf(state).map(([version]) => version),
      ['current', '14', '13', '12', '11', '10', '9', '8', '7', '6', '5'],
    );
    assert.equal(readdirSync(history).length, 11);
    await daemon.stop('SIGTERM');
  });

  it('is cleaned, as everything else, of what a kill left half written', async () => {
    const { state, config, history } = place();
    writeFileSync(config, 'net vlan a { tag 1 }\n');
    let daemon = await new ConfigdProcess(state, config).ready();
    const { pid } = daemon.process;
    tmsh(state, ['-c', 'modify net vlan a tag 2', '-c', 'save sys config']);
    await daemon.stop('SIGKILL');
    const directory = join(config, '..');
    const torn = [
      join(directory, `.wideplane.conf.${pid}.3.tmp`),
      join(state, 'configd', `.running.conf.${pid}.4.tmp`),
      join(history, `.index.json.${pid}.5.tmp`),
    ];
    const others = [join(directory, '.wideplane.conf.1.3.tmp'), join(directory, '.other.conf.99.3.tmp')];
    for (const path of [...torn, ...others]) writeFileSync(path, 'torn');
    daemon = await new ConfigdProcess(state, config).ready();
    assert.deepEqual(
      torn.filter((path) => existsSync(path)),
      [],
    );
    assert.deepEqual(
      others.filter((path) => existsSync(path)),
      others,
    );
    assert.match(daemon.log, /removed \.wideplane\.conf\.\d+\.3\.tmp: it was being written when configd was killed/);
    await daemon.stop('SIGTERM');
  });
});

describe('the audit log', { timeout: 60_000 }, () => {
  /** The lines of the log, what comes before and after user, source and generation cut. */
  const auditOf = (daemon: ConfigdProcess) =>
    [...daemon.log.matchAll(/AUDIT - user=\S+ folder=(.*?) source="?(.*?)"? generation=\d+/g)].map(
      ([, text, source]) => `${source}: ${text}`,
    );

  it('has a line for every change, refused ones and slips of the pen too, with user and source', async () => {
    const { state } = place();
    const daemon = await new ConfigdProcess(state).ready();
    tmsh(state, ['-c', 'create net vlan a tag 5', '-c', 'list net vlan']);
    tmsh(state, [], 'modify net vlan a {\n  tag 6\n}\nshow sys config status\n');
    tmsh(state, ['-c', 'create net vlan a tag 5']);
    tmsh(state, ['-c', 'creat net vlan b']);
    tmsh(state, ['-c', 'modify net vlan a tagg 5']);
    tmsh(state, ['-c', 'delete net vlan b']);
    tmsh(state, ['-c', 'load sys config file /absent']);
    tmsh(state, ['-c', 'save sys config']);
    await daemon.says(/cmd_data=save sys config/);
    const what = 'module=(tmos)#';
    assert.deepEqual(auditOf(daemon), [
      `tmsh -c: /Common ${what} status=[Command OK] cmd_data=create net vlan a tag 5`,
      `stdin: /Common ${what} status=[Command OK] cmd_data=modify net vlan a { tag 6 }`,
      `tmsh -c: /Common ${what} status=[01020066:3: The requested VLAN (/Common/a) already exists in partition Common.] cmd_data=create net vlan a tag 5`,
      `tmsh -c: /Common ${what} status=[Syntax Error: unexpected argument "creat"] cmd_data=creat net vlan b`,
      `tmsh -c: /Common ${what} status=[Syntax Error: unexpected argument "tagg"] cmd_data=modify net vlan a tagg 5`,
      `tmsh -c: /Common ${what} status=[01020036:3: The requested VLAN (/Common/b) was not found.] cmd_data=delete net vlan b`,
      `tmsh -c: /Common ${what} status=[01020036:3: The requested file (/absent) was not found.] cmd_data=load sys config file /absent`,
      `tmsh -c: /Common ${what} status=[Command OK] cmd_data=save sys config`,
    ]);
    assert.match(daemon.log, /AUDIT - user=[\w.-]+ folder/);
    await daemon.stop('SIGTERM');
  });

  it('has two lines for a command of a transaction: that it waits, and what it came to', async () => {
    const { state } = place();
    const daemon = await new ConfigdProcess(state).ready();
    tmsh(
      state,
      [],
      'create cli transaction\ncreate net vlan a tag 5\ncreate net self s address 10.1.1.1/24 vlan b\nsubmit cli transaction\n',
    );
    tmsh(state, [], 'create cli transaction\ncd /\ncreate net vlan /Common/a tag 5\nsubmit cli transaction\n');
    tmsh(state, [], 'create cli transaction\ndelete net vlan a\ndelete cli transaction\nsave sys config\n');
    await daemon.says(/cmd_data=save sys config/);
    const line = (status: string, command: string, folder = '/Common') =>
      `stdin: ${folder} module=(tmos)# status=[${status}] cmd_data=${command}`;
    const [vlan, self] = ['create net vlan a tag 5', 'create net self s address 10.1.1.1/24 vlan b'];
    const missing = '01020036:3: The requested VLAN or VLAN group or Tunnel (/Common/b) was not found.';
    assert.deepEqual(auditOf(daemon), [
      line('Waits as command 1', vlan),
      line('Waits as command 2', self),
      line('Not made: the transaction was refused', vlan),
      line(missing, self),
      line(`command 2:1:39: ${missing}`, 'submit cli transaction'),
      line('Waits as command 1', 'create net vlan /Common/a tag 5', '/'),
      line('Command OK', 'create net vlan /Common/a tag 5', '/'),
      line('Command OK', 'submit cli transaction', '/'),
      line('Waits as command 1', 'delete net vlan a'),
      line('Command OK', 'delete cli transaction'),
      line('Command OK', 'save sys config'),
    ]);
    await daemon.stop('SIGTERM');
  });

  it('has a line for the change of a client that has gone, and the change is whole', async () => {
    const { state } = place();
    const daemon = await new ConfigdProcess(state).ready();
    const socket = connect(join(state, 'configd.sock'));
    await new Promise((resolve) => socket.once('connect', resolve));
    const params = { command: 'create net vlan a tag 5', user: 'x folder=/ status=[Command OK]\n', source: 'rest' };
    socket.end(encodeMessage({ v: SCHEMA_VERSION, kind: 'request', id: 1, method: 'tmsh', params }));
    socket.destroySoon();
    await daemon.says(/user=x\?folder\?\?\?status\?\?Command\?OK\?\? folder=\/Common .*cmd_data=create net vlan a/);
    assert.equal(tmsh(state, ['-c', 'list net vlan one-line']).stdout, 'net vlan a { tag 5 }\n');
    await daemon.stop('SIGTERM');
  });
});
