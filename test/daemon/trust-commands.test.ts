// time-out: 200 s
// `wideplane trust` as people type it, with the ssh and sshd of the system between machines.

import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { openssl, pemOf, selfSigned, TrustAuthority } from '../support/trust-authority.ts';
import { EXECUTABLE } from '../support/executable.ts';

const SSH_PORT = 2290;
/** Machines by the address at which their sshd answers; their state directories have the same names. */
const [EAST, NORTH] = ['127.0.2.1', '127.0.2.2'];

const directory = mkdtempSync(join(tmpdir(), 'trust-'));
const west = join(directory, 'west');
const sshConfig = join(directory, 'ssh-config');
const daemons: ChildProcess[] = [];

type Result = { status: number | null; stdout: string; stderr: string };

function trustAt(state: string, args: readonly string[], input?: string): Result {
  const [command, ...rest] = args;
  const words = [EXECUTABLE, 'trust', command!, '--state', state, ...rest];
  return spawnSync(process.execPath, words, {
    encoding: 'utf8',
    timeout: 60_000,
    ...(input === undefined ? {} : { input }),
  });
}

/** The output of a command that succeeds, at the west. */
function trust(...args: string[]): string {
  const { status, stdout, stderr } = trustAt(west, args);
  assert.equal(status, 0, `${args.join(' ')}: ${stderr}`);
  return stdout;
}

/** The complaint of a command that fails. */
function refusal(...args: string[]): string {
  const { status, stderr } = trustAt(west, args);
  assert.equal(status, 1, args.join(' '));
  assert.match(stderr, /^wideplane trust /);
  return stderr;
}

const config = (state: string, path: string): string => join(state, 'iqueryd', 'config', path);
const own = (state: string): X509Certificate =>
  new X509Certificate(readFileSync(config(state, 'httpd/conf/ssl.crt/server.crt')));
const digitsOf = (certificate: X509Certificate): string => certificate.fingerprint256.replaceAll(':', '').toLowerCase();
const holds = (state: string, bundle: string, certificate: X509Certificate): boolean =>
  readFileSync(config(state, bundle), 'utf8').includes(certificate.toString().trim());

function isPair(state: string): boolean {
  return own(state).checkPrivateKey(createPrivateKey(readFileSync(config(state, 'httpd/conf/ssl.key/server.key'))));
}

/** A sshd at the address of a machine, whose `wideplane` works on the state directory of that name. */
async function startSshd(address: string): Promise<void> {
  const file = join(directory, `sshd-${address}`);
  mkdirSync(join(directory, address), { recursive: true });
  writeFileSync(
    file,
    `ListenAddress ${address}\nPort ${SSH_PORT}\nHostKey ${directory}/host-key\nAuthorizedKeysFile ${directory}/user-key.pub\n` +
      `PidFile none\nStrictModes no\nUsePAM no\nPermitRootLogin prohibit-password\nSetEnv PATH=${directory}/bin:/usr/bin:/bin\n`,
  );
  mkdirSync('/run/sshd', { recursive: true });
  daemons.push(spawn('/usr/sbin/sshd', ['-D', '-e', '-f', file], { stdio: 'ignore' }));
  for (let attempt = 0; ; attempt++) {
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = createConnection({ host: address, port: SSH_PORT }, () => resolve(true));
      socket.on('error', () => resolve(false)).on('connect', () => socket.destroy());
    });
    if (isOpen) return;
    assert.ok(attempt < 100, 'sshd does not listen');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

before(() => {
  mkdirSync(west);
  mkdirSync(join(directory, 'bin'));
  for (const key of ['host-key', 'user-key']) {
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(directory, key)]);
  }
  // The third word of SSH_CONNECTION is the address that was dialled.
  const wideplane = join(directory, 'bin', 'wideplane');
  writeFileSync(
    wideplane,
    `#!/bin/sh\nset -- "$@" --state ${directory}/$(echo $SSH_CONNECTION | cut -d' ' -f3)\nexec ${process.execPath} ${EXECUTABLE} "$@"\n`,
  );
  chmodSync(wideplane, 0o755);
  writeFileSync(
    sshConfig,
    `Host *\nPort ${SSH_PORT}\nIdentityFile ${directory}/user-key\nIdentitiesOnly yes\nBatchMode yes\n` +
      `StrictHostKeyChecking no\nUserKnownHostsFile ${directory}/known-hosts\nLogLevel ERROR\n`,
  );
});

after(() => {
  for (const daemon of daemons) daemon.kill('SIGTERM');
  rmSync(directory, { recursive: true });
});

describe('wideplane trust', () => {
  it('shows that nothing is there, and makes nothing', () => {
    assert.match(trust('show'), /This machine: .*server\.crt\n {2}none[^]*Wrong:\n {2}this machine has no certificate/);
    assert.deepEqual(readdirSync(west), []);
    const { status, stderr } = trustAt('/nonexistent', ['show']);
    assert.equal(status, 1);
    assert.match(stderr, /no state directory \/nonexistent: start wideplane first, or name another with --state/);
  });

  it('exports what openssl reads, always the same', () => {
    const exported = trust('export');
    assert.equal(new X509Certificate(exported).fingerprint256, own(west).fingerprint256);
    assert.equal(trust('export'), exported);
    assert.equal(statSync(config(west, 'httpd/conf/ssl.key/server.key')).mode & 0o777, 0o600);
    const shown = trust('show');
    assert.match(shown, new RegExp(`fingerprint ${digitsOf(own(west))}`));
    assert.match(shown, /valid from \S+Z to \S+Z: 36\d\d days left/);
    assert.match(shown, /\(this machine\)[^]*\(this machine\)[^]*Nothing is wrong/);
  });

  it('imports once, into both bundles or one, and says what it did', () => {
    const [east, north] = [selfSigned(directory, { name: 'east' }), selfSigned(directory, { name: 'north' })];
    assert.match(
      trust('import', east.certificate),
      /^CN=east\n {2}fingerprint [0-9a-f]{64}\n.*gtm\/server\.crt: 1 added\n.*big3d\/client\.crt: 1 added\n$/,
    );
    const before = readFileSync(config(west, 'gtm/server.crt'), 'utf8');
    assert.match(trust('import', east.certificate), /server\.crt: 0 added, 1 in it already/);
    assert.equal(readFileSync(config(west, 'gtm/server.crt'), 'utf8'), before);
    const der = join(directory, 'north.der');
    openssl('x509', '-in', north.certificate, '-outform', 'DER', '-out', der);
    assert.doesNotMatch(trust('import', '--client', der), /server\.crt/);
    const certificate = new X509Certificate(pemOf(north));
    assert.ok(holds(west, 'big3d/client.crt', certificate) && !holds(west, 'gtm/server.crt', certificate));

    assert.match(refusal('remove', '1234'), /"1234" is no fingerprint: type 8/);
    assert.match(refusal('remove', 'ffffffffff'), /no certificate in .* starts with ffffffffff/);
    assert.match(refusal('remove', digitsOf(own(west))), /of this machine itself.*trust rotate/);
    assert.match(
      trust('remove', certificate.fingerprint256),
      /server\.crt: was not in it\n.*client\.crt: CN=north removed/,
    );
    assert.ok(!holds(west, 'big3d/client.crt', certificate));
  });

  it('refuses what is no certificate, and warns of those that will be refused', () => {
    const pair = selfSigned(directory, { name: 'old', from: '20200101000000Z', until: '20210101000000Z' });
    assert.match(
      refusal('import', pair.key),
      /line 1: PRIVATE KEY stands where only certificates belong; nothing was changed/,
    );
    assert.match(refusal('import', join(directory, 'none')), /cannot read .*none: there is no such file/);
    assert.match(refusal('import', EXECUTABLE), /holds no certificate: PEM or DER is expected/);
    assert.match(
      trust('import', pair.certificate),
      /but it expired at 2021-01-01T00:00:00Z, \d+ days ago: it is refused/,
    );
    assert.match(trust('show'), /expired +CN=old[^]*Wrong:\n.*CN=old \([0-9a-f]{16}\): it expired/);
    trust('remove', new X509Certificate(pemOf(pair)).fingerprint256);
  });

  it('installs what an authority has signed: from a request, with a new key, in PKCS #12', () => {
    const authority = new TrustAuthority(directory, 'authority');
    const [request, certificate, key] = ['west.csr', 'signed.pem', 'new.key'].map((name) => join(directory, name)) as [
      string,
      string,
      string,
    ];
    const old = own(west);
    writeFileSync(request, trust('csr', '--hostname', 'west.example'));
    authority.sign(request, certificate);
    assert.match(trust('install', certificate), /now shows CN=west\.example, until[^]*trust remove [0-9a-f]{16}/);
    assert.ok(isPair(west) && holds(west, 'gtm/server.crt', old) && holds(west, 'gtm/server.crt', own(west)));

    writeFileSync(request, trust('csr', '--new-key', key));
    authority.sign(request, certificate);
    assert.equal(statSync(key).mode & 0o777, 0o600);
    assert.match(refusal('install', certificate), /the new key is not the key of the new certificate/);
    trust('install', certificate, '--key', key);
    assert.ok(isPair(west));

    const p12 = join(directory, 'west.p12');
    const issued = authority.issue({ name: 'p12.example' });
    writeFileSync(join(directory, 'secret'), 'pass word\n');
    openssl(
      'pkcs12',
      '-export',
      '-inkey',
      issued.key,
      '-in',
      issued.certificate,
      '-passout',
      'pass:pass word',
      '-out',
      p12,
    );
    assert.match(refusal('install', p12, '--pkcs12'), /passphrase is wrong.*--passphrase-file/);
    trust('install', p12, '--pkcs12', '--passphrase-file', join(directory, 'secret'));
    assert.equal(own(west).subject, 'CN=p12.example');
    assert.ok(isPair(west));
    assert.match(
      openssl('verify', '-CAfile', authority.certificate, config(west, 'httpd/conf/ssl.crt/server.crt')),
      /OK/,
    );
  });
});

describe('wideplane trust rotate', () => {
  it('uses the new certificate when all peers trust it, and goes on where it was stopped', async () => {
    await startSshd(EAST);
    const old = own(west);
    const words = ['rotate', `root@${EAST}`, `root@${NORTH}`, '--ssh-config', sshConfig];
    const failed = trustAt(west, words);
    assert.equal(failed.status, 1);
    assert.match(
      failed.stdout,
      /\[1\/2\] root@127\.0\.2\.1: trusts it\n\[2\/2\] root@127\.0\.2\.2: .*Connection refused/,
    );
    assert.match(failed.stderr, /1 of 2 peers do not trust the new certificate yet, so the old one goes on to be used/);
    assert.equal(own(west).fingerprint256, old.fingerprint256);
    const staged = new X509Certificate(trust('export', '--staged'));

    await startSshd(NORTH);
    const done = trustAt(west, words);
    assert.equal(done.status, 0, done.stderr);
    assert.match(done.stdout, new RegExp(`^Goes on with the certificate ${digitsOf(staged).slice(0, 16)}`));
    assert.match(done.stdout, new RegExp(`trust remove ${digitsOf(old).slice(0, 16)}`));
    assert.equal(own(west).fingerprint256, staged.fingerprint256);
    assert.ok(isPair(west));
    for (const peer of [EAST, NORTH]) {
      for (const bundle of ['gtm/server.crt', 'big3d/client.crt']) {
        assert.ok(holds(join(directory, peer), bundle, staged), `${peer} ${bundle}`);
      }
    }
    assert.ok(holds(west, 'gtm/server.crt', old) && holds(west, 'gtm/server.crt', staged));
  });

  it('takes no host for an option of ssh, and says when it does not know whom to tell', () => {
    assert.match(refusal('rotate', '--', '-oProxyCommand=id'), /is no host/);
    assert.match(refusal('rotate'), /type their hosts/);
  });

  it('leaves a pair that fits however it is killed', async () => {
    const renewal = fileURLToPath(new URL('../../src/trust/renewal.js', import.meta.url));
    const layout = fileURLToPath(new URL('../../src/trust/layout.js', import.meta.url));
    const pairs = [selfSigned(directory), selfSigned(directory)].map((pair) => ({
      certificate: pemOf(pair),
      key: readFileSync(pair.key, 'utf8'),
    }));
    const program = `
      const { install } = await import(${JSON.stringify(renewal)});
      const { trustLayout } = await import(${JSON.stringify(layout)});
      const files = trustLayout(${JSON.stringify(config(west, ''))});
      for (let i = 0; ; i++) { await install(files, ${JSON.stringify(pairs)}[i % 2]); if (i === 0) console.log('ready'); }`;
    const seen = new Set<string>();
    for (let round = 0; round < 15; round++) {
      const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      await new Promise((resolve) => child.stdout.once('data', resolve));
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 60));
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGKILL');
      await gone;
      assert.ok(isPair(west), `round ${round}`);
      seen.add(own(west).fingerprint256);
    }
    assert.equal(seen.size, 2);
    assert.match(trust('show'), /This machine/);
  });
});
