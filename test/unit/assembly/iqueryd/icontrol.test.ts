// Servers that are asked by iControl REST: a web server of the test answers as a device does, in the shape of its statistics.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { IcontrolClient } from '../../../../src/assembly/iqueryd/icontrol-client.ts';
import { readHost, readVirtuals, type ReadVirtual } from '../../../../src/assembly/iqueryd/icontrol-reading.ts';
import { IcontrolSource } from '../../../../src/assembly/iqueryd/icontrol-source.ts';
import { systemClock } from '../../../../src/assembly/system-clock.ts';
import { sealSecret, useSecretBox } from '../../../../src/config/secret-box.ts';
import type { AnyConfigObject } from '../../../../src/config/object-type.ts';
import type { MeshFeature, PeerCondition } from '../../../../src/iquery/mesh-feature.ts';
import type { RecordMessage } from '../../../../src/iquery/messages.ts';
import type { TrustVerdict } from '../../../../src/trust/verdict.ts';
import { TmshSession } from '../../../support/tmsh-session.ts';
import { eventually } from '../../../daemon/supervise/running-up.ts';

const value = (number: number) => ({ value: number });
const description = (text: string) => ({ description: text });

/** As `/mgmt/tm/ltm/virtual/stats` has one. */
const virtual = (name: string, rest: Record<string, unknown> = {}) => ({
  [`https://localhost/mgmt/tm/ltm/virtual/~Common~${name}/~Common~${name}/stats`]: {
    nestedStats: {
      kind: 'tm:ltm:virtual:virtualstats',
      entries: {
        'clientside.bitsIn': value(8_000_000),
        'clientside.bitsOut': value(16_000_000),
        'clientside.curConns': value(12),
        'clientside.pktsIn': value(1000),
        'clientside.pktsOut': value(2000),
        destination: description('10.0.0.1:80'),
        'status.availabilityState': description('available'),
        'status.enabledState': description('enabled'),
        'status.statusReason': description('The virtual server is available'),
        tmName: description(`/Common/${name}`),
        ...rest,
      },
    },
  },
});
const answer = (...virtuals: object[]) => ({
  kind: 'tm:ltm:virtual:virtualcollectionstats',
  entries: Object.assign({}, ...virtuals) as object,
});
const HOST = {
  entries: {
    'https://localhost/mgmt/tm/sys/host-info/0': {
      nestedStats: {
        entries: {
          hostId: description('0'),
          memoryTotal: value(8_000_000_000),
          memoryUsed: value(6_000_000_000),
          'https://localhost/mgmt/tm/sys/hostInfo/0/cpuInfo': {
            nestedStats: {
              entries: {
                'https://localhost/mgmt/tm/sys/hostInfo/0/cpuInfo/0': {
                  nestedStats: { entries: { fiveSecAvgIdle: value(80) } },
                },
                'https://localhost/mgmt/tm/sys/hostInfo/0/cpuInfo/1': {
                  nestedStats: { entries: { fiveSecAvgIdle: value(60) } },
                },
              },
            },
          },
        },
      },
    },
  },
};

describe('what iControl REST says', () => {
  const none = new Map<string, ReadVirtual>();

  it('is a virtual server with state, reason and load', () => {
    const [first] = readVirtuals(answer(virtual('web')), none, 5000);
    const { message, name, address, port, availability, state, reason, since, connections } = first!.record;
    assert.deepEqual(
      { message, name, address, port, availability, state, reason, since, connections },
      {
        ...{ message: 'vs', name: '/Common/web', address: '10.0.0.1', port: 80, availability: 'available' },
        ...{ state: 'enabled', reason: 'The virtual server is available', since: 5000, connections: 12 },
      },
    );
    assert.equal(first!.record.packets_per_second, undefined, 'a rate needs two');
  });

  it('has rates by what was counted in between, and none where counters were reset', () => {
    const before = new Map(readVirtuals(answer(virtual('web')), none, 5000).map((each) => [each.record.name, each]));
    const more = virtual('web', { 'clientside.bitsIn': value(16_000_000), 'clientside.pktsOut': value(4000) });
    const [then] = readVirtuals(answer(more), before, 7000);
    assert.equal(then!.record.kilobytes_per_second, 500);
    assert.equal(then!.record.packets_per_second, 1000);
    assert.equal(then!.record.since, 5000, 'it is as it was');
    const reset = virtual('web', { 'clientside.bitsIn': value(0) });
    assert.equal(readVirtuals(answer(reset), before, 7000)[0]!.record.kilobytes_per_second, undefined);
  });

  it('reads both ways of destinations, and leaves out what has none here', () => {
    const names = ['10.0.0.1:80', '2001:db8::1.443', '10.0.0.1%5:80', 'any:0', '10.0.0.1:70000'].map((text, index) =>
      virtual(`v${index}`, { destination: description(text) }),
    );
    assert.deepEqual(
      readVirtuals(answer(...names), none, 0).map(({ record }) => `${record.address} ${record.port}`),
      ['10.0.0.1 80', '2001:db8::1 443'],
    );
  });

  it('is never taken for more than it is', () => {
    for (const rubbish of [
      undefined,
      null,
      7,
      'text',
      [],
      {},
      { entries: 7 },
      { entries: { a: { nestedStats: [] } } },
    ]) {
      assert.deepEqual(readVirtuals(rubbish, none, 0), []);
    }
    const odd = virtual('web', {
      'status.availabilityState': description('green'),
      'clientside.curConns': value(-1),
      'clientside.bitsIn': { value: 'many' },
    });
    const { availability, connections } = readVirtuals(answer(odd), none, 0)[0]!.record;
    assert.deepEqual([availability, connections], ['unknown', undefined]);
    let deep: object = { entries: { tmName: description('/Common/deep'), destination: description('10.0.0.1:80') } };
    for (let level = 0; level < 1000; level++) deep = { entries: { deeper: { nestedStats: deep } } };
    assert.deepEqual(readVirtuals(deep, none, 0), []);
  });

  it('is the load of the machine, over all its CPUs', () => {
    const virtuals = readVirtuals(answer(virtual('a'), virtual('b')), none, 0);
    const { cpu, memory_available: memory, connections } = readHost(HOST, '/Common/east', virtuals);
    assert.deepEqual({ cpu, memory, connections }, { cpu: 30, memory: 2_000_000, connections: 24 });
    assert.equal(readHost({}, '/Common/east', []).cpu, undefined);
  });
});

describe('the configuration of iControl REST', () => {
  it('wants a user and a password, shows the user only, and warns where nothing is asked', async () => {
    const session = new TmshSession();
    await session.run('create gtm datacenter dc');
    const east = 'gtm server east { datacenter dc devices add { east { addresses add { 192.0.2.1 } } }';
    assert.match(
      (await session.refusal(`create ${east} icontrol-user admin }`))!,
      /Server \(\/Common\/east\) must have a value for icontrol-password/,
    );
    assert.match(
      (await session.refusal(`create ${east} icontrol-password x }`))!,
      /must have a value for icontrol-user/,
    );
    await session.run(`create ${east} icontrol-user admin icontrol-password secret }`);
    const shown = await session.run('list gtm server east');
    assert.match(shown, /icontrol-user admin/);
    assert.doesNotMatch(shown, /icontrol-password secret/);
    assert.match(await session.run('modify gtm server east product generic-host'), /icontrol-user has no effect/);
  });
});

describe('a server that is asked by iControl REST', () => {
  const directory = mkdtempSync(join(tmpdir(), 'icontrol-'));
  const [key, certificate] = [join(directory, 'key'), join(directory, 'crt')];
  let server: Server;
  let port: number;
  let isTrusted = true;
  let status = 200;
  let body: (path: string) => string;
  let asked: { path: string; authorization: string | undefined }[];
  let source: IcontrolSource | undefined;

  const verdict = (): TrustVerdict =>
    isTrusted
      ? { trusted: true, subject: 'CN=east', fingerprint: 'f', notAfter: new Date() }
      : {
          trusted: false,
          problem: 'unknown',
          subject: 'CN=east',
          fingerprint: 'f',
          reason: 'it is in no bundle',
          fix: 'import it',
        };
  const trust = { judge: verdict };

  before(() => {
    const request = [
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-days',
      '1',
      '-subj',
      '/CN=localhost.localdomain',
    ];
    execFileSync('openssl', [...request, '-keyout', key, '-out', certificate], { stdio: 'ignore' });
    useSecretBox({ seal: (text) => `$M$${text}`, open: (sealed) => ({ text: sealed.slice(3) }) });
  });

  after(() => rmSync(directory, { recursive: true }));

  beforeEach(async () => {
    [isTrusted, status, asked] = [true, 200, []];
    body = (path) => JSON.stringify(path.includes('host-info') ? HOST : answer(virtual('web')));
    server = createServer({ key: readFileSync(key), cert: readFileSync(certificate) }, (request, response) => {
      asked.push({ path: request.url!, authorization: request.headers.authorization });
      response.writeHead(status).end(body(request.url!));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    ({ port } = server.address() as AddressInfo);
  });

  afterEach(async () => {
    source?.stop();
    source = undefined;
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  const client = (): IcontrolClient =>
    new IcontrolClient({ address: '127.0.0.1', port, user: 'admin', password: 'secret' }, trust);
  const refusal = async (): Promise<string> => {
    const one = client();
    try {
      await one.get('/mgmt/tm/ltm/virtual/stats');
    } catch (error) {
      return (error as Error).message;
    } finally {
      one.close();
    }
    return 'accepted';
  };

  it('is sent the password when its certificate is trusted', async () => {
    const one = client();
    await one.get('/mgmt/tm/ltm/virtual/stats');
    await one.get('/mgmt/tm/sys/host-info');
    one.close();
    const authorization = `Basic ${Buffer.from('admin:secret').toString('base64')}`;
    assert.deepEqual(
      asked.map((each) => each.authorization),
      [authorization, authorization],
    );
  });

  it('is sent nothing when its certificate is not trusted, and the reason says what to do', async () => {
    isTrusted = false;
    assert.match(await refusal(), /its certificate is refused: it is in no bundle; import it/);
    assert.deepEqual(asked, []);
  });

  it('says why it cannot be read: the user, the status, no JSON, too much, nobody there', async () => {
    status = 401;
    assert.match(await refusal(), /the user or the password is refused \(401\)/);
    status = 503;
    assert.match(await refusal(), /status 503/);
    status = 200;
    body = () => '<html>';
    assert.match(await refusal(), /its answer is no JSON/);
    body = () => 'x'.repeat(33 << 20);
    assert.match(await refusal(), /more than 32 MB/);
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    assert.match(await refusal(), /connection refused/);
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  });

  it('is heard by features as a peer is, and what the mesh says of it is not', async () => {
    const conditions: PeerCondition[] = [];
    let known: readonly RecordMessage[] = [];
    let heard = 0;
    const feature: MeshFeature = {
      channels: ['vs', 'server'],
      onCondition: (_server, condition) => conditions.push(condition),
      onWhole: (name, channel, records) => {
        assert.equal(name, '/Common/east');
        if (channel === 'vs') known = records;
      },
      onHeard: () => heard++,
    };
    const quiet = (): void => undefined;
    const log = { debug: quiet, info: quiet, warn: quiet, error: quiet };
    source = new IcontrolSource({ clock: systemClock, trust, features: [feature], log });
    const east: AnyConfigObject = {
      type: 'gtm server',
      name: '/Common/east',
      properties: {
        ...{ 'icontrol-user': 'admin', 'icontrol-password': sealSecret('secret'), 'icontrol-port': port },
        'icontrol-interval': 0.2,
      },
    };
    const peer = { server: '/Common/east', datacenter: '', device: 'east', address: '127.0.0.1', isThisMachine: false };
    source.want([east], [peer]);
    await eventually('its virtual server', () => known.length === 1);
    assert.equal(conditions.at(-1)!.state, 'connected');
    assert.ok(heard > 0);
    const [deaf] = source.forMesh();
    deaf!.onCondition!('/Common/east', { state: 'stranger', since: 0 });
    deaf!.onWhole!('/Common/east', 'vs', []);
    assert.equal(conditions.at(-1)!.state, 'connected');
    assert.equal(known.length, 1);
    deaf!.onCondition!('/Common/west', { state: 'stranger', since: 0 });
    assert.equal(conditions.at(-1)!.state, 'stranger');

    body = (path) =>
      JSON.stringify(
        path.includes('host-info')
          ? HOST
          : answer(virtual('web', { 'status.availabilityState': description('offline') })),
      );
    await eventually('it is offline', () => known[0]?.message === 'vs' && known[0].availability === 'offline');
    status = 401;
    await eventually('it cannot be read', () => conditions.at(-1)!.state === 'not-connected');
    assert.match((conditions.at(-1) as { reason: string }).reason, /^iControl REST: 127\.0\.0\.1: .*401/);
    status = 200;
    await eventually('it can be read again', () => conditions.at(-1)!.state === 'connected');
    // Without a user the mesh's word counts again.
    source.want([{ ...east, properties: {} }], [peer]);
    assert.equal(conditions.at(-1)!.state, 'stranger');
    const { length } = asked;
    await new Promise((resolve) => setTimeout(resolve, 500));
    assert.ok(asked.length <= length + 1, 'nobody asks any more');
  });
});
