// configd as a process of its own, spoken to by `wideplane tmsh`. The mounts are in the mount namespace of this test.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, describe, it } from 'node:test';
import { ConfigdProcess, killRunning, tmsh } from '../support/configd-process.ts';

const root = mkdtempSync(join(tmpdir(), 'configd-'));
const mounts: string[] = [];

afterEach(killRunning);
after(() => {
  for (const mount of mounts) execFileSync('umount', ['-l', mount]);
  rmSync(root, { recursive: true });
});

const BASE =
  'net interface 1.1 {\n    device eth1\n}\nnet vlan /Common/wan {\n    interfaces {\n        1.1 { }\n    }\n    tag 9\n}\n';

function place(): { state: string; directory: string; config: string } {
  const directory = mkdtempSync(join(root, 'd'));
  const config = join(directory, 'wideplane.conf');
  writeFileSync(config, `#TMSH-VERSION: 1\n\n${BASE}`);
  return { state: join(directory, 'state'), directory, config };
}

describe('configd', { timeout: 60_000 }, () => {
  it('loads a file, takes commands from -c and from a pipe, and saves it', async () => {
    const { state, config } = place();
    const daemon = await new ConfigdProcess(state, config).ready();
    assert.match(daemon.log, new RegExp(`loaded ${config}`));
    const piped = tmsh(state, [], 'modify net vlan wan {\n  mtu 1550\n}\n# a comment\nlist net vlan wan\n');
    assert.deepEqual(piped, {
      status: 0,
      stderr: '',
      stdout: 'net vlan wan {\n    interfaces {\n        1.1 { }\n    }\n    mtu 1550\n    tag 9\n}\n',
    });
    const several = tmsh(state, ['-c', 'modify net vlan wan description "a b"', '-c', 'save sys config']);
    assert.deepEqual(several, { status: 0, stderr: '', stdout: `Saving running configuration...\n  ${config}\n` });
    assert.match(
      readFileSync(config, 'utf8'),
      /^#TMSH-VERSION: \S+\n#WIDEPLANE-FORMAT: 1\n\n[^]*description "a b"\n[^]*mtu 1550\n/,
    );
    assert.equal(statSync(config).mode & 0o777, 0o600);
    await daemon.says(
      /AUDIT - user=\S+ folder=\/Common module=\(tmos\)# status=\[Command OK\] cmd_data=save sys config/,
    );
    assert.equal(await daemon.stop('SIGTERM'), 0);
    assert.deepEqual(readdirSync(join(state, 'configd')), ['history']);
  });

  it('refuses a command with status 1 and a pointer, and runs none after it', async () => {
    const { state, config } = place();
    const daemon = await new ConfigdProcess(state, config).ready();
    const refused = tmsh(state, ['-c', 'create net vlan x { bogus 1 }', '-c', 'create net vlan y']);
    assert.equal(refused.status, 1);
    assert.match(
      refused.stderr,
      /^Syntax Error: unexpected argument "bogus"\ncreate net vlan x \{ bogus 1 \}\n {20}\^\n/,
    );
    assert.equal(tmsh(state, ['-c', 'list net vlan y']).status, 1);
    const open = tmsh(state, [], 'create net vlan x {\n');
    assert.equal(open.status, 1);
    assert.match(open.stderr, /a \} is missing/);
    assert.match(
      tmsh(state, ['-c', 'show net tunnels tunnel']).stderr,
      /^cannot reach dataplaned at .*: it is not running\n {2}Start it/,
    );
    await daemon.stop('SIGTERM');
    const dead = tmsh(state, ['-c', 'list']);
    assert.equal(dead.status, 1);
    assert.match(dead.stderr, /^cannot reach configd at .*: it is not running\n {2}Start it with: wideplane up\n$/);
  });

  it('names every error of a file with its place and does not start', async () => {
    const { state, config } = place();
    writeFileSync(config, 'net vlan a {\n    mtu 1\n}\nnet self s {\n    vlan b\n    address 1.2.3\n}\n');
    const daemon = new ConfigdProcess(state, config);
    assert.equal(await daemon.ended(), 78);
    assert.match(
      daemon.log,
      /wideplane\.conf:2:9: 01070734:3: Configuration error: net vlan \/Common\/a: mtu must be an integer from 576 to 9216, not "1"/,
    );
    assert.match(
      daemon.log,
      /wideplane\.conf:5:5: 01020036:3: The requested VLAN or VLAN group or Tunnel \(\/Common\/b\) was not found/,
    );
    assert.match(daemon.log, /wideplane\.conf:6:13: 01070734:3: .*address must be an IP address with a prefix length/);
    const missing = new ConfigdProcess(state, `${config}.none`);
    assert.equal(await missing.ended(), 78);
    assert.match(missing.log, /there is no file .*wideplane\.conf\.none/);
  });

  it('starts empty without a file and saves into its state directory', async () => {
    const { state } = place();
    const daemon = await new ConfigdProcess(state).ready();
    assert.equal(tmsh(state, ['-c', 'create net vlan a tag 5', '-c', 'save sys config']).status, 0);
    assert.equal(await daemon.stop('SIGTERM'), 0);
    const again = await new ConfigdProcess(state).ready();
    assert.equal(tmsh(state, ['-c', 'list net vlan one-line']).stdout, 'net vlan a { tag 5 }\n');
    await again.stop('SIGTERM');
  });

  it('survives kill -9 with what ran, unless its file was edited meanwhile', async () => {
    const { state, config } = place();
    let daemon = await new ConfigdProcess(state, config).ready();
    tmsh(state, ['-c', 'modify net vlan wan mtu 1400']);
    await runningHas(state, 'mtu 1400');
    assert.equal(await daemon.stop('SIGKILL'), 'SIGKILL');

    daemon = await new ConfigdProcess(state, config).ready();
    assert.match(daemon.log, /configd did not end in order: it goes on with what ran then/);
    assert.match(tmsh(state, ['-c', 'list net vlan wan mtu']).stdout, /mtu 1400/);
    assert.match(tmsh(state, ['-c', 'load sys config', '-c', 'list net vlan wan mtu']).stdout, /mtu 1500/);
    tmsh(state, ['-c', 'modify net vlan wan mtu 1300']);
    await runningHas(state, 'mtu 1300');
    await daemon.stop('SIGKILL');

    writeFileSync(config, BASE.replace('tag 9', 'tag 10'));
    daemon = await new ConfigdProcess(state, config).ready();
    assert.match(tmsh(state, ['-c', 'list net vlan wan mtu tag one-line']).stdout, /mtu 1500 tag 10/);
    await daemon.stop('SIGTERM');
  });

  it('says plainly that the disk is full, and leaves the old file as it is', async () => {
    const { state, directory } = place();
    const disk = join(directory, 'disk');
    mkdirSync(disk);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', disk]);
    mounts.push(disk);
    const config = join(disk, 'wideplane.conf');
    writeFileSync(config, BASE);
    const daemon = await new ConfigdProcess(state, config).ready();
    fill(join(disk, 'ballast'));
    const full = tmsh(state, ['-c', 'modify net vlan wan mtu 1400', '-c', 'save sys config']);
    assert.equal(full.status, 1);
    assert.match(
      full.stderr,
      new RegExp(
        `^cannot write ${config}: (open|write) failed: no space left on device \\(ENOSPC\\); the old file is intact\n$`,
      ),
    );
    assert.equal(readFileSync(config, 'utf8'), BASE);
    assert.deepEqual(readdirSync(disk).sort(), ['ballast', 'wideplane.conf']);
    await daemon.says(/error .*cannot write .*code=config-save-failed/);
    rmSync(join(disk, 'ballast'));
    assert.equal(tmsh(state, ['-c', 'save sys config']).status, 0);
    assert.match(readFileSync(config, 'utf8'), /mtu 1400/);

    execFileSync('mount', ['-o', 'remount,ro', disk]);
    const before = readFileSync(config, 'utf8');
    const readOnly = tmsh(state, ['-c', 'modify net vlan wan mtu 1300', '-c', 'save sys config']);
    assert.equal(readOnly.status, 1);
    assert.match(
      readOnly.stderr,
      /cannot write .*: open failed: read-only file system \(EROFS\); the old file is intact/,
    );
    assert.equal(readFileSync(config, 'utf8'), before);
    await daemon.stop('SIGTERM');
  });

  it('refuses to serve where another one does', async () => {
    const { state, config } = place();
    const first = await new ConfigdProcess(state, config).ready();
    const second = new ConfigdProcess(state, config);
    assert.equal(await second.ended(), 1);
    assert.match(second.log, /configd cannot start: .*configd\.sock is in use: another process serves it/);
    assert.equal(tmsh(state, ['-c', 'list net vlan']).status, 0);
    await first.stop('SIGTERM');
  });
});

/** Waits until the running configuration is on disk: a kill before that may lose the last change. */
async function runningHas(state: string, text: string): Promise<void> {
  const file = join(state, 'configd', 'running.conf');
  while (!readFileSync(file, 'utf8').includes(text)) await new Promise((resolve) => setTimeout(resolve, 10));
}

/** Writes until the disk takes no more. */
function fill(path: string): void {
  assert.notEqual(spawnSync('dd', ['if=/dev/zero', `of=${path}`, 'bs=1k', 'count=1024']).status, 0);
}
