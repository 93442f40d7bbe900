// What of a configuration is watched: where, by which rule, and why not.

import '../../../support/secret-box.ts';
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { describeLtm } from '../../../../src/assembly/healthd/describe-ltm.ts';
import { describeMonitors } from '../../../../src/assembly/healthd/describe-monitors.ts';
import { describeWatches } from '../../../../src/assembly/healthd/describe-watches.ts';
import type { ObjectsOfType } from '../../../../src/assembly/healthd/describe-watches.ts';
import { emptyConfiguration } from '../../../../src/config/configuration.ts';
import { loadText } from '../../../../src/config/load-text.ts';
import type { Watch } from '../../../../src/health/watch.ts';

const CONFIG = String.raw`
gtm monitor http page { interval 10 timeout 31 probe-timeout 4 recv "200 OK" }
gtm monitor tcp line { destination *:8443 }
gtm monitor external program { run /bin/true args "a b" user-defined LEVEL 7 }
ltm monitor tcp alive { interval 3 timeout 10 up-interval 6 time-until-up 2 manual-resume enabled }
gtm datacenter east { }
gtm datacenter off { disabled }
gtm server web {
    datacenter east
    devices {
        one { addresses { 192.0.2.1 { } 192.0.2.2 { translation 10.0.0.2 } } }
    }
    monitor gateway_icmp
    product generic-host
    virtual-servers {
        plain { destination 192.0.2.80:80 }
        own { destination 192.0.2.81:80 monitor min 1 of { page line } }
        none { destination 192.0.2.82:80 monitor none }
        nat { destination 192.0.2.83:80 translation-address 10.0.0.83 translation-port 8080 monitor page }
        half { destination 192.0.2.84:80 translation-address 10.0.0.84 monitor page }
        off { destination 192.0.2.85:80 disabled monitor page }
        v6 { destination 2001:db8::80.80 monitor page }
    }
}
gtm server port {
    datacenter east
    devices { one { addresses { 192.0.2.9 { } } } }
    monitor page
    product generic-host
    virtual-servers { app { destination 192.0.2.90:80 } }
}
gtm server dark {
    datacenter off
    devices { one { addresses { 192.0.2.8 { } } } }
    monitor gateway_icmp
    product generic-host
    virtual-servers { app { destination 192.0.2.91:80 } }
}
gtm pool a some {
    members { web:plain { } web:own { monitor none } web:nat { monitor line } }
    monitor page
}
net route-domain five { id 5 }
ltm node far { address 10.9.0.1%5 monitor icmp }
ltm node app-1 { address 10.1.1.1 monitor icmp }
ltm node idle { address 10.1.1.2 }
ltm pool app {
    members { app-1:8080 { priority-group 7 } 10.1.1.9:80 { monitor none session user-disabled } }
    min-active-members 1
    monitor alive
}
ltm virtual app { destination 10.1.1.100:443 pool app }
`;

function objectsOf(text: string): ObjectsOfType {
  const { views } = loadText(text, emptyConfiguration()).configuration;
  const all = [...views.values()];
  return (path) => all.filter(({ type }) => type === path);
}

function allOf(text: string): { watches: Map<string, Watch>; objects: ObjectsOfType } {
  const { views } = loadText(text, emptyConfiguration()).configuration;
  const objects = objectsOf(text);
  const monitors = describeMonitors([...views.values()]);
  const watches = describeWatches(objects, monitors);
  return { watches: new Map(watches.map((watch) => [`${watch.kind} ${watch.key}`, watch])), objects };
}

const { watches, objects } = allOf(CONFIG);
const watch = (name: string): Watch => {
  const found = watches.get(name);
  assert.ok(found, `${name} is among ${[...watches.keys()].join(', ')}`);
  return found;
};
const placesOf = (name: string): string[] => watch(name).places.map(({ address, port }) => `${address} ${port}`);
const namesOf = (name: string): string[] => watch(name).rule.monitors.map((monitor) => monitor.name);

describe('watches', () => {
  it('a server is probed at each of its addresses, as they are on its devices', () => {
    assert.deepEqual(placesOf('server /Common/web'), ['192.0.2.1 0', '10.0.0.2 0']);
    assert.equal(watches.has('server /Common/port'), false, 'its monitor needs a port');
    assert.deepEqual(namesOf('virtual-server /Common/port:app'), ['/Common/page']);
  });

  it('a virtual server is watched by its own monitors, those of its server, or none', () => {
    assert.deepEqual(namesOf('virtual-server /Common/web:plain'), ['/Common/gateway_icmp']);
    const { atLeast, monitors } = watch('virtual-server /Common/web:own').rule;
    assert.deepEqual(
      [atLeast, monitors.map(({ name, port }) => [name, port])],
      [
        1,
        [
          ['/Common/page', undefined],
          ['/Common/line', 8443],
        ],
      ],
    );
    assert.equal(watches.has('virtual-server /Common/web:none'), false);
  });

  it('it is probed at its translation, and at the port of its destination where the translation has none', () => {
    assert.deepEqual(placesOf('virtual-server /Common/web:nat'), ['10.0.0.83 8080']);
    assert.deepEqual(placesOf('virtual-server /Common/web:half'), ['10.0.0.84 80']);
    assert.deepEqual(placesOf('virtual-server /Common/web:v6'), ['2001:db8::80 80']);
  });

  it('what is disabled is not probed, unless monitor-disabled-objects is on', () => {
    for (const name of ['virtual-server /Common/web:off', 'server /Common/dark', 'virtual-server /Common/dark:app']) {
      assert.deepEqual([watch(name).places, watch(name).unprobed], [[], 'Disabled: not monitored'], name);
    }
    const all = allOf(`${CONFIG}\ngtm global-settings general { monitor-disabled-objects yes }`).watches;
    assert.equal(all.get('virtual-server /Common/web:off')!.places.length, 1);
    assert.equal(all.get('server /Common/dark')!.places.length, 1);
  });

  it('a member of a gtm pool has a watch of its own where it or its pool names a monitor', () => {
    assert.deepEqual(namesOf('member a /Common/some /Common/web:plain'), ['/Common/page']);
    assert.deepEqual(namesOf('member a /Common/some /Common/web:nat'), ['/Common/line']);
    assert.deepEqual(placesOf('member a /Common/some /Common/web:nat'), ['10.0.0.83 8080']);
    assert.equal(watches.has('member a /Common/some /Common/web:own'), false);
  });

  it('nodes and pool members are probed in route domain 0 alone', () => {
    assert.deepEqual(placesOf('node /Common/app-1'), ['10.1.1.1 0']);
    assert.match(watch('node /Common/far').unprobed!, /10\.9\.0\.1%5 is in route domain 5/);
    assert.equal(watches.has('node /Common/idle'), false);
    assert.deepEqual(placesOf('pool-member /Common/app /Common/app-1:8080'), ['10.1.1.1 8080']);
    assert.equal(watches.has('pool-member /Common/app /Common/10.1.1.9:80'), false);
  });

  it('times are milliseconds; an ltm probe may take an interval', () => {
    const [page] = watch('virtual-server /Common/web:nat').rule.monitors;
    const { interval, timeout, probeTimeout, probeAttempts } = page!.timing;
    assert.deepEqual([interval, timeout, probeTimeout, probeAttempts], [10_000, 31_000, 4000, 1]);
    const [alive] = watch('pool-member /Common/app /Common/app-1:8080').rule.monitors;
    assert.equal(alive!.manualResume, true);
    assert.deepEqual(alive!.timing, {
      ...{ interval: 3000, timeout: 10_000, upInterval: 6000, timeUntilUp: 2000 },
      ...{ probeTimeout: 3000, probeAttempts: 1, probeInterval: 0 },
    });
  });

  it('programs get their arguments and variables', () => {
    const monitors = describeMonitors(objects('gtm monitor external'));
    const { probe } = monitors.get('gtm /Common/program')!;
    const variables = { LEVEL: '7' };
    assert.deepEqual(probe, { type: 'external', run: '/bin/true', arguments: 'a b', variables });
  });
});

describe('nodes, pools and virtual servers', () => {
  it('are described as they are written', () => {
    const { nodes, pools, virtuals } = describeLtm(objects);
    assert.deepEqual(nodes.map(({ name, address, isMonitored }) => [name, address, isMonitored]).toSorted(), [
      ['/Common/app-1', '10.1.1.1', true],
      ['/Common/far', '10.9.0.1', true],
      ['/Common/idle', '10.1.1.2', false],
    ]);
    const [first, second] = pools[0]!.members;
    assert.deepEqual(
      [first!.node, first!.address, first!.port, first!.priorityGroup],
      ['/Common/app-1', '10.1.1.1', 8080, 7],
    );
    assert.deepEqual([second!.isEnabled, second!.isForcedOffline, second!.isMonitored], [false, false, false]);
    assert.equal(pools[0]!.minActiveMembers, 1);
    assert.deepEqual([virtuals[0]!.address, virtuals[0]!.port, virtuals[0]!.pool], ['10.1.1.100', 443, '/Common/app']);
  });
});
