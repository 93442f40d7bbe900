// time-out: 900 s
// Three sites, each with its own `wideplane up` and a real web server, joined by nothing but a tunnel of ours: iQuery runs in it.
//
//   [ site 1 ]─ e0 ── e1 [ wan: kernel bridge ] e2 ── e0 ─[ site 2 ]
//    wan-self 10.9.1.1          e3                          10.9.1.2      VXLAN, all three in one network
//    mesh-self 172.16.0.1       │                           172.16.0.2
//    virtual 10.50.1.80:80   [ site 3 ]                     10.50.2.80:80
//    nginx 10.50.1.81:8080                                  10.50.2.81:8080

import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import { Nginx } from '../support/nginx.ts';
import { addKernelBridge } from './harness/kernel-vxlan.ts';
import { connect, makeDirectory, Namespace } from './harness/namespace.ts';
import { waitFor } from './harness/wait.ts';
import { ALL_DAEMONS, Wideplane } from './harness/wideplane.ts';

const NUMBERS = [1, 2, 3] as const;
/** Seconds: of the monitors of web servers, and of other machines. */
const WEB_TIMEOUT = 4;
const MESH_TIMEOUT = 9;
/** What a change may take on top of the timeout. */
const SLACK = 2;
/** Of a virtual server. */
const MOST_CONNECTIONS = 4;
const NAME = 'shop.example.com';
const shop = (number: number): string => `10.50.${number}.80`;
const meshAddress = (number: number): string => `172.16.0.${number}`;

const MESH = `
gtm global-settings general { heartbeat-interval 1 }
gtm monitor bigip mesh { interval 3 timeout ${MESH_TIMEOUT} }
${NUMBERS.map(
  (n) => `
gtm datacenter dc${n} { }
gtm server s${n} {
    datacenter dc${n}
    devices { s${n} { addresses { ${meshAddress(n)} { } } } }
    monitor mesh
    virtual-servers { shop {
        destination ${shop(n)}:80
        limit-max-connections ${MOST_CONNECTIONS}
        limit-max-connections-status enabled
    } }
}`,
).join('')}
gtm pool a shop {
    alternate-mode none
    fallback-mode none
    load-balancing-mode global-availability
    members { ${NUMBERS.map((n) => `s${n}:shop { member-order ${n - 1} }`).join(' ')} }
}
gtm wideip a ${NAME} { pools { shop { } } }
`;

const configuration = (n: number): string => `
net interface 1.1 { device e0 }
net vlan wan { interfaces { 1.1 { untagged } } tag 4094 }
net self wan-self { address 10.9.1.${n}/24 vlan wan allow-service none }
net tunnels vxlan sites { defaults-from vxlan flooding-type multipoint }
net tunnels tunnel mesh { local-address 10.9.1.${n} remote-address any key 100 profile sites }
net fdb tunnel mesh { records { ff:ff:ff:ff:ff:ff { endpoints { ${NUMBERS.filter((each) => each !== n)
  .map((each) => `10.9.1.${each}`)
  .join(' ')} } } } }
net self mesh-self { address ${meshAddress(n)}/24 vlan mesh allow-service { tcp:4353 } }
gtm listener here { address 10.50.${n}.53 }
ltm monitor http page { interval 1 timeout ${WEB_TIMEOUT} send "GET /health HTTP/1.0\\r\\n\\r\\n" recv "in good health" }
ltm pool shop { members { 10.50.${n}.81:8080 { } } monitor page }
ltm virtual shop { destination ${shop(n)}:80 pool shop }
${MESH}`;

type Site = {
  readonly number: number;
  readonly namespace: Namespace;
  readonly wideplane: Wideplane;
  /** While it is there the web server says that it is overloaded. */
  readonly overloaded: string;
  nginx: Nginx;
};

let hub: Namespace;
const sites: Site[] = [];

/** Runs where the port is not open from here: what is asked is whether it was started. */
function startNginx({ number, namespace }: Pick<Site, 'number' | 'namespace'>, overloaded: string): Promise<Nginx> {
  return Nginx.start(
    `server { listen 10.50.${number}.81:8080; listen ${shop(number)}:80; location = /health {
       if (-f ${overloaded}) { return 503 "overloaded"; } return 200 "in good health\\n"; } }`,
    { address: `10.50.${number}.81`, port: 8080, namespace: namespace.name, isSeenFrom: namespace.name },
  );
}

async function startSite(number: number): Promise<Site> {
  const namespace = await Namespace.create(`site-${number}`);
  await connect([namespace, 'e0'], [hub, `e${number}`]);
  await namespace.addAddress('lo', `10.50.${number}.81/32`, `10.50.${number}.53/32`, `${shop(number)}/32`);
  const overloaded = join(makeDirectory('web'), 'overloaded');
  const nginx = await startNginx({ number, namespace }, overloaded);
  const wideplane = await Wideplane.start(namespace, configuration(number), { daemons: ALL_DAEMONS });
  return { number, namespace, wideplane, overloaded, nginx };
}

async function answer({ number, namespace }: Site): Promise<string> {
  const { stdout } = await namespace.attempt(['dig', '+short', '+time=1', '+tries=1', `@10.50.${number}.53`, NAME]);
  return stdout.trim();
}

/** Asks at these sites until all of them answer the address; `seconds`: how long it may take. Prints what it took. */
async function allAnswer(what: string, seconds: number, address: string, at: readonly Site[] = sites): Promise<void> {
  const start = performance.now();
  await Promise.all(
    at.map(async (site) => {
      const explain = async (): Promise<string> =>
        `${await answer(site)}\n${await explained(site)}\n${site.wideplane.log}`;
      await waitFor(`${what}: site ${site.number}`, seconds, async () => (await answer(site)) === address, explain);
      console.log(`${what}: site ${site.number} answers so after ${Math.round(performance.now() - start)} ms`);
    }),
  );
}

async function explained({ namespace, wideplane }: Site): Promise<string> {
  return (await namespace.attempt(wideplane.command('dns', 'explain', NAME))).stdout;
}
async function health({ namespace, wideplane }: Site, name: string): Promise<string> {
  return (await namespace.attempt(wideplane.command('health', 'explain', name))).stdout;
}

/** Each imports what the others export. */
async function exchangeCertificates(): Promise<void> {
  const directory = makeDirectory('certificates');
  const files = await Promise.all(
    sites.map(({ number, namespace, wideplane }) =>
      waitFor(`a certificate of site ${number}`, 30, async () => {
        const { status, stdout } = await namespace.attempt(wideplane.command('trust', 'export'));
        if (status !== 0) return undefined;
        const file = join(directory, `site-${number}.crt`);
        writeFileSync(file, stdout);
        return file;
      }),
    ),
  );
  for (const { number, namespace, wideplane } of sites) {
    for (const file of files) {
      if (!file.endsWith(`-${number}.crt`)) await namespace.run(wideplane.command('trust', 'import', file));
    }
  }
}

before(async () => {
  hub = await Namespace.create('wan');
  // One by one: each is seven processes that begin at once.
  for (const number of NUMBERS) sites.push(await startSite(number));
  await addKernelBridge(
    hub,
    'br0',
    NUMBERS.map((number) => `e${number}`),
  );
  await Promise.all(sites.map(({ wideplane }) => wideplane.dnsReady()));
  await exchangeCertificates();
});

after(async () => {
  for (const { nginx, wideplane } of sites) {
    await nginx.stop();
    await wideplane.stop();
  }
});

it('all sites answer the first that is well, by what its own machine says', async () => {
  await allAnswer('start', 40, shop(1));
  await waitFor('all of them know of all', 40, async () => {
    const texts = await Promise.all(sites.flatMap((site) => NUMBERS.map((n) => health(site, `s${n}:shop`))));
    return texts.every((text) => text.includes('available since'));
  });
  assert.match(await health(sites[1]!, 's1:shop'), /over iQuery: \/Common\/s1 is connected, heard [\d.]+ s ago/);
});

it('a web server that is stopped at one site is not answered at any, and comes back', async () => {
  const [one, , three] = sites as [Site, Site, Site];
  await one.nginx.stop();
  await allAnswer('stopped', WEB_TIMEOUT + SLACK, shop(2));
  assert.match(
    await explained(three),
    /bigip \/Common\/s1: virtual \/Common\/shop: The children pool member\(s\) are down/,
  );
  one.nginx = await startNginx(one, one.overloaded);
  await allAnswer('started', WEB_TIMEOUT + SLACK, shop(1));
});

it('one that is overloaded is not answered at any, and comes back', async () => {
  const [one, two] = sites as [Site, Site];
  writeFileSync(one.overloaded, '');
  await allAnswer('overloaded', WEB_TIMEOUT + SLACK, shop(2));
  assert.match(await explained(two), /bigip \/Common\/s1: virtual \/Common\/shop: /);
  rmSync(one.overloaded);
  await allAnswer('relieved', WEB_TIMEOUT + SLACK, shop(1));
});

it('one with more connections than its limit is not answered at any, and comes back', async () => {
  const [one, , three] = sites as [Site, Site, Site];
  const hold = `
import socket, time
held = [socket.create_connection(('${shop(1)}', 80)) for _ in range(${MOST_CONNECTIONS + 2})]
print('held', flush=True)
time.sleep(600)`;
  const client = one.namespace.start(['python3', '-c', hold]);
  await client.expect(/^held$/m, 10);
  await allAnswer('full', WEB_TIMEOUT + SLACK, shop(2));
  assert.match(await explained(three), /connections, limit 4/);
  await client.stop();
  await allAnswer('free', WEB_TIMEOUT + SLACK, shop(1));
});

it('a site that is cut off is not answered at the others, stays right for itself, and comes back', async () => {
  const [one, ...others] = sites as [Site, ...Site[]];
  await hub.ip('link', 'set', 'e1', 'down');
  await allAnswer('cut off', MESH_TIMEOUT + SLACK, shop(2), others);
  assert.equal(await answer(one), shop(1));
  for (const other of others) {
    assert.match(await explained(other), /Nothing heard of 172\.16\.0\.1 for 9 s over iQuery: /);
  }
  await hub.ip('link', 'set', 'e1', 'up');
  // The next attempt to dial may be half a minute away.
  await allAnswer('joined again', 40, shop(1));
});

it('without iqueryd the last facts count, and are stale after the timeout; with it all is well again', async () => {
  const two = sites[1]!;
  const pid = two.wideplane.daemonPid('iqueryd');
  process.kill(pid, 'SIGSTOP');
  await waitFor(
    'stale',
    MESH_TIMEOUT + SLACK,
    async () => (await health(two, 's1:shop')).includes('stale: iqueryd has not been heard for 9 s'),
    () => health(two, 's1:shop'),
  );
  assert.equal(await answer(two), shop(1));
  await two.wideplane.says(/nothing heard of iqueryd for \d+ s/);
  process.kill(pid, 'SIGKILL');
  await waitFor('fresh', 40, async () => !(await health(two, 's1:shop')).split('\nmonitor ')[0]!.includes('stale:'));
  assert.equal(await answer(two), shop(1));
  await sites[0]!.nginx.stop();
  await allAnswer('stopped, behind another iqueryd', 40, shop(2));
  sites[0]!.nginx = await startNginx(sites[0]!, sites[0]!.overloaded);
  await allAnswer('started again', WEB_TIMEOUT + SLACK, shop(1));
});
