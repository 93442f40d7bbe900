// time-out: 120 s
// `wideplane bigip-add` against a real OpenSSH server on a machine with a BIG-IP's files: once it exchanges certificates, twice it changes
// nothing, and what is wrong is said before anything is changed.

import assert from 'node:assert/strict';
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { EXECUTABLE } from '../support/executable.ts';
import { connect, makeDirectory, Namespace } from './harness/namespace.ts';
import { type Outcome, run } from './harness/program.ts';
import { makeSshClient, type SshClient, SshDevice } from './harness/ssh-device.ts';

const ADDRESS = '192.0.2.10';

describe('bigip-add', () => {
  const state = makeDirectory('state');
  const own = join(state, 'iqueryd/config');
  let site: Namespace;
  let client: SshClient;
  let device: SshDevice;

  before(async () => {
    site = await Namespace.create('site');
    const machine = await Namespace.create('device');
    await connect([site, 'e0'], [machine, 'mgmt']);
    await site.addAddress('e0', '192.0.2.1/24');
    await machine.addAddress('mgmt', `${ADDRESS}/24`);
    client = await makeSshClient();
    device = await SshDevice.start(machine, client);
  });

  after(async () => {
    await device.stop();
  });

  const add = (...args: string[]): Promise<Outcome> =>
    site.attempt([process.execPath, EXECUTABLE, 'bigip-add', ...args, '--ssh-config', client.config, '--state', state]);
  const file = (path: string): string => readFileSync(join(device.config, path), 'utf8');
  const certificates = (text: string): string[] => text.match(/-----BEGIN[^-]*-----[^-]*-----END[^-]*-----/g) ?? [];
  const fingerprint = async (pem: string): Promise<string> => {
    const path = join(makeDirectory('pem'), 'one.pem');
    writeFileSync(path, pem);
    return run(['openssl', 'x509', '-in', path, '-noout', '-fingerprint', '-sha256']);
  };
  const fingerprints = (text: string): Promise<string[]> => Promise.all(certificates(text).map(fingerprint));

  it('has each side trust the other, with the words of the real one', async () => {
    const before = file('gtm/server.crt');
    const { status, stdout, stderr } = await add(`root@${ADDRESS}`);
    assert.equal(status, 0, stdout + stderr);
    assert.match(stdout, /^Retrieving remote and installing local BIG-IP's SSL certs \.\.\.$/m);
    assert.match(stdout, /BIG-IP 16\.1\.3\.3/);
    assert.match(stdout, /==> Done <==/);
    const [theirs] = await fingerprints(file('httpd/conf/ssl.crt/server.crt'));
    const [ours] = await fingerprints(readFileSync(join(own, 'httpd/conf/ssl.crt/server.crt'), 'utf8'));
    assert.ok((await fingerprints(readFileSync(join(own, 'gtm/server.crt'), 'utf8'))).includes(theirs!));
    assert.ok((await fingerprints(file('big3d/client.crt'))).includes(ours!));
    assert.ok((await fingerprints(file('big3d/client.crt'))).includes(theirs!), 'what was there before is there');
    // It is no DNS system, so it need not know us as a server.
    assert.equal(file('gtm/server.crt'), before);
  });

  it('changes nothing the second time', async () => {
    const paths = ['big3d/client.crt', 'gtm/server.crt'].map((path) => join(device.config, path));
    paths.push(join(own, 'gtm/server.crt'), join(own, 'httpd/conf/ssl.crt/server.crt'));
    const known = paths.map((path) => [readFileSync(path, 'utf8'), statSync(path).ino]);
    const { status, stdout } = await add(ADDRESS);
    assert.equal(status, 0);
    assert.match(stdout, /is in .*gtm\/server\.crt already/);
    assert.match(stdout, /this machine's certificate is in big3d\/client\.crt there/);
    assert.deepEqual(
      paths.map((path) => [readFileSync(path, 'utf8'), statSync(path).ino]),
      known,
    );
  });

  it('makes both directions with --both, for a device that dials as well', async () => {
    const { status, stdout, stderr } = await add('--both', ADDRESS);
    assert.equal(status, 0, stdout + stderr);
    const [theirs] = await fingerprints(file('httpd/conf/ssl.crt/server.crt'));
    const [ours] = await fingerprints(readFileSync(join(own, 'httpd/conf/ssl.crt/server.crt'), 'utf8'));
    assert.ok((await fingerprints(file('gtm/server.crt'))).includes(ours!));
    assert.ok((await fingerprints(readFileSync(join(own, 'big3d/client.crt'), 'utf8'))).includes(theirs!));
  });

  it('keeps the mode of a bundle, and makes one that is not there', async () => {
    const bundle = join(device.config, 'big3d/client.crt');
    rmSync(bundle);
    assert.equal((await add(ADDRESS)).status, 0);
    assert.equal(statSync(bundle).mode & 0o777, 0o644);
    assert.equal(certificates(readFileSync(bundle, 'utf8')).length, 1);
    await run(['chmod', '640', bundle]);
    writeFileSync(bundle, '# nobody\n', { mode: 0o640 });
    assert.equal((await add(ADDRESS)).status, 0);
    assert.equal(statSync(bundle).mode & 0o777, 0o640);
    assert.match(readFileSync(bundle, 'utf8'), /^# nobody\n/);
  });

  it('changes nothing in a damaged bundle, and says which', async () => {
    const bundle = join(device.config, 'big3d/client.crt');
    writeFileSync(bundle, '-----BEGIN CERTIFICATE-----\nrubbish\n-----END CERTIFICATE-----\n');
    const { status, stderr } = await add(ADDRESS);
    assert.equal(status, 1);
    assert.match(stderr, /\/config\/big3d\/client\.crt is damaged \(line 1: .*nothing was changed/);
    assert.match(readFileSync(bundle, 'utf8'), /rubbish/);
    writeFileSync(bundle, '');
  });

  it('goes on with the others when one cannot be reached, and names it', async () => {
    const { status, stdout, stderr } = await add('root@192.0.2.77', ADDRESS);
    assert.equal(status, 1);
    assert.match(stderr, /root@192\.0\.2\.77: .*(No route to host|timed out)/);
    assert.match(stderr, /1 of 2 failed\. Run it again/);
    assert.match(stdout, /\[2\/2\] 192\.0\.2\.10[\s\S]*this machine's certificate added to big3d\/client\.crt there/);
  });

  it('refuses what is no host, and a machine that is neither of the two', async () => {
    const option = await add('--', '-oProxyCommand=touch /tmp/never');
    assert.equal(option.status, 1);
    assert.match(option.stderr, /"-oProxyCommand=touch \/tmp\/never" is no host: type \[user@\]host/);
    const certificate = join(device.config, 'httpd/conf/ssl.crt/server.crt');
    const known = readFileSync(certificate);
    rmSync(certificate);
    const { status, stderr } = await add('--remote-command', 'no-wideplane', ADDRESS);
    writeFileSync(certificate, known);
    assert.equal(status, 1);
    assert.match(stderr, /neither \/config\/httpd\/conf\/ssl\.crt\/server\.crt nor the command no-wideplane is there/);
  });

  it('refuses a certificate that has ended', async () => {
    const certificate = join(device.config, 'httpd/conf/ssl.crt/server.crt');
    const known = readFileSync(certificate);
    const key = join(device.config, 'httpd/conf/ssl.key/server.key');
    const ca = makeDirectory('ca');
    await run(['openssl', 'req', '-new', '-key', key, '-subj', '/CN=old', '-out', join(ca, 'csr')]);
    writeFileSync(join(ca, 'index'), '');
    writeFileSync(
      join(ca, 'cnf'),
      `[ca]\ndefault_ca=d\n[d]\ndatabase=${ca}/index\nnew_certs_dir=${ca}\nserial=${ca}/serial\ndefault_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n`,
    );
    writeFileSync(join(ca, 'serial'), '01\n');
    const dates = ['-startdate', '20200101000000Z', '-enddate', '20210101000000Z'];
    const sign = ['openssl', 'ca', '-batch', '-selfsign', '-config', join(ca, 'cnf'), '-keyfile', key, ...dates];
    await run([...sign, '-in', join(ca, 'csr'), '-out', certificate, '-notext']);
    const { status, stderr } = await add(ADDRESS);
    writeFileSync(certificate, known);
    assert.equal(status, 1);
    assert.match(stderr, /its certificate \(CN=old\) ended on 2021-01-01: renew it there first/);
  });

  it('looks at the clocks before anything is changed', async () => {
    // The device's date is an hour ahead: a program of that name that comes first there.
    const bundle = file('big3d/client.crt');
    const date = join(device.programs, 'date');
    writeFileSync(date, '#!/bin/sh\necho $(($(/bin/date +%s) + 3600))\n', { mode: 0o755 });
    writeFileSync(join(device.config, 'big3d/client.crt'), '');
    const { status, stderr } = await add(ADDRESS);
    assert.equal(status, 1);
    assert.match(stderr, /its clock is 3[56]\d\d s ahead of this machine's.*NTP/);
    assert.equal(file('big3d/client.crt'), '');
    const ignoring = await add('--ignore-clock', ADDRESS);
    assert.equal(ignoring.status, 0, ignoring.stderr);
    assert.match(ignoring.stdout, /its clock is 3[56]\d\d s ahead/);
    rmSync(date);
    writeFileSync(join(device.config, 'big3d/client.crt'), bundle);
  });

  it('prints what to type where there is no ssh, and changes nothing', async () => {
    const bundle = file('big3d/client.crt');
    const { status, stdout } = await add('--print', 'admin@198.51.100.9');
    assert.equal(status, 0);
    assert.match(stdout, /cat this-machine\.crt >>\/config\/big3d\/client\.crt/);
    assert.match(stdout, /wideplane trust import --server 198\.51\.100\.9\.crt/);
    assert.equal(file('big3d/client.crt'), bundle);
  });

  it('leaves no connection behind', async () => {
    const { stdout } = await site.attempt(['ss', '-Htn', 'state', 'established', 'dport', '=', '22']);
    assert.equal(stdout.trim(), '');
  });
});
