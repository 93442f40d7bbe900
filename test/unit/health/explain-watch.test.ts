import assert from 'node:assert/strict';
import { it } from 'node:test';
import { durationText, explainWatch } from '../../../src/health/explain-watch.ts';
import { shownText } from '../../../src/health/shown-text.ts';
import { HealthRig, monitor, place, rule, watch } from '../../support/health-rig.ts';

const explained = (rig: HealthRig, key = '/Common/n'): string[] => explainWatch(rig.engine.explain('node', key)!);

it('a target that went down is told with its rule, its probes, and what was sent and received', () => {
  const rig = new HealthRig(() => ({ verdict: 'up', after: 2, sent: 'GET /\r\n', received: '200 OK' }));
  rig.engine.want([watch('/Common/n', monitor())]);
  rig.clock.advance(60_000);
  rig.prober.script = () => ({
    verdict: 'wrong',
    after: 4,
    reason: 'status 503',
    sent: 'GET /\r\n',
    received: '\x1b[2J503',
  });
  rig.clock.goTo(95_000);
  assert.deepEqual(explained(rig), [
    'node /Common/n: offline since 2026-01-01 00:01:00 UTC, 35 s',
    '  Monitor /Common/tcp: status 503',
    '  rule: /Common/tcp must be up',
    'monitor gtm tcp /Common/tcp at 192.0.2.1:80: down since 2026-01-01 00:01:00 UTC, 35 s: status 503',
    '  went from up to down 35 s ago: status 503',
    '  probed every 30 s, down after 2 min without a good answer; next probe in 25 s',
    '  00:01:30 (4.9 s ago) wrong after 4 ms: status 503',
    '    sent: GET /\\r\\n',
    '    received: \\x1b[2J503',
    '  00:01:00 (35 s ago) wrong after 4 ms: status 503',
    '    sent: GET /\\r\\n',
    '    received: \\x1b[2J503',
    '  00:00:30 (1 min 5 s ago) up after 2 ms: answered',
    '    sent: GET /\\r\\n',
    '    received: 200 OK',
    '  00:00:00 (1 min 35 s ago) up after 2 ms: answered',
  ]);
});

it('what holds it down although it answers is told', () => {
  const slow = monitor({ timing: { timeUntilUp: 60_000 } });
  const held = monitor({ name: '/Common/held', manualResume: true });
  const flapping = monitor({ name: '/Common/flaps', flapLimit: { changes: 2, window: 60_000, hold: 60_000 } });
  const rig = new HealthRig(() => ({ verdict: 'up' }));
  rig.engine.want([watch('/Common/n', rule([slow, held, flapping], 2), [place('2001:db8::1')])]);
  rig.clock.advance(20_000);
  rig.prober.script = ({ monitor: { name } }) => ({ verdict: name === '/Common/tcp' ? 'up' : 'refused' });
  rig.clock.goTo(50_000);
  rig.prober.script = () => ({ verdict: 'up' });
  rig.clock.goTo(80_000);
  const lines = explained(rig);
  assert.deepEqual(
    lines.filter((line) => /rule|manual|answers well/.test(line)),
    [
      '  rule: 2 of these must be up at least: /Common/tcp, /Common/held, /Common/flaps',
      '  manual-resume: it is down until it is resumed by hand, however well it answers',
      lines.find((line) => line.includes('it changed too often')),
    ],
  );
  assert.match(
    lines.find((line) => line.includes('/Common/held at'))!,
    /\[2001:db8::1\]:80: down .*waits to be resumed/,
  );
  assert.match(
    lines.find((line) => line.includes('/Common/flaps at'))!,
    /flaps: 2 changes within 60 s/,
  );
});

it('durations are short, and as exact as a person needs', () => {
  const times = [0, 40, 9_940, 9_960, 59_400, 61_000, 120_000, 3_600_000, 7_620_000, 90_061_000];
  assert.deepEqual(times.map(durationText), [
    '0 s',
    '0 s',
    '9.9 s',
    '10 s',
    '59 s',
    '1 min 1 s',
    '2 min',
    '1 h',
    '2 h 7 min',
    '1 d 1 h',
  ]);
});

it('no text from outside gives orders to a terminal', () => {
  assert.equal(shownText('a\\b\u202e\x07\u2028é\ud800'), 'a\\b\\u{202e}\\x07\\u{2028}é\\u{d800}');
});
