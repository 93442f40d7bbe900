import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { emptyConfiguration } from '../../../src/config/configuration.ts';
import { loadText } from '../../../src/config/load-text.ts';
import type { Loaded } from '../../../src/config/load-text.ts';
import { printConfiguration } from '../../../src/config/print.ts';
import { Scanner, quote } from '../../../src/config/scanner.ts';
import { ConfigErrors } from '../../../src/config/transaction.ts';
import { ConfigSyntaxError, formatPosition } from '../../../src/core/errors.ts';

function load(text: string): Loaded {
  return loadText(text, emptyConfiguration(), { file: 'test.conf' });
}

function print(loaded: Loaded): string {
  return printConfiguration(loaded.configuration, '1');
}

/** `line:column message` of every reason for which the text is refused. */
function refusals(text: string): string[] {
  try {
    load(text);
  } catch (error) {
    if (error instanceof ConfigSyntaxError) return [`${formatPosition(error.details.position!)} ${error.message}`];
    assert.ok(error instanceof ConfigErrors, String(error));
    return error.errors.map((each) => `${formatPosition(each.details.position!)} ${each.message}`);
  }
  return [];
}

function words(text: string): string[] {
  const scanner = new Scanner(text);
  const found: string[] = [];
  for (let token = scanner.next(); token !== undefined; token = scanner.next()) found.push(token.text);
  return found;
}

describe('the scanner', () => {
  it('reads words, braces, quotes, escapes and comments', () => {
    assert.deepEqual(words('net vlan a{b "c d" }'), ['net', 'vlan', 'a', '{', 'b', 'c d', '}']);
    assert.deepEqual(words('a \\"b c\\ d "e\\"f\\\\" ""'), ['a', '"b', 'c d', 'e"f\\', '']);
    assert.deepEqual(words('"GET /\\r\\n" "\\d+\\.\\\\d"'), ['GET /\\r\\n', '\\d+\\.\\d']);
    assert.deepEqual(words('# one\n  # two {\na#b c # d\n'), ['a#b', 'c', '#', 'd']);
    assert.deepEqual(words('a \\\n b'), ['a', 'b']);
  });

  it('says where each token stands', () => {
    const scanner = new Scanner('# head\nnet "vl\nan"\n\tx', 'f');
    const places = [scanner.next(), scanner.next(), scanner.next()].map((token) => formatPosition(token!.position));
    assert.deepEqual(places, ['f:2:1', 'f:2:5', 'f:4:2']);
  });

  it('reads what quote writes', () => {
    for (const word of ['', 'a', 'a b', '{', '}', '"', '\\', '#x', 'a\nb', 'tab\there', '10.1.1.1%5/24']) {
      assert.deepEqual(words(`x ${quote(word)} y`), ['x', word, 'y']);
    }
    assert.equal(quote('10.1.1.1%5/24'), '10.1.1.1%5/24');
  });
});

const CANONICAL = `#TMSH-VERSION: 1
#WIDEPLANE-FORMAT: 1

ltm global-settings general {
    l2-cache-timeout 60
}
net interface 1.1 {
    device eth1
}
net interface 1.10 {
    disabled
    device eth10
    adapter udp
}
net vlan /Common/lan {
    description "two words"
    interfaces {
        1.1 {
            tagged
        }
    }
    tag 10
}
net vlan /Common/wan {
    interfaces {
        1.1 { }
    }
    mtu 1550
    tag 4094
}
net tunnels vxlan /Common/static {
    defaults-from /Common/vxlan-multipoint
    flooding-type none
    port 4790
    udp-checksum enabled
    source-port-range 1024-2048
}
net tunnels tunnel /Common/vx {
    key 5000
    local-address 10.1.1.1
    profile /Common/static
    remote-address any
    tos 46
}
net vlan-group /Common/bridge {
    members {
        /Common/lan
        /Common/vx
    }
    split-horizon none
}
net self /Common/10.1.1.1/24 {
    address 10.1.1.1/24
    vlan /Common/wan
}
net arp /Common/10.1.1.9 {
    ip-address 10.1.1.9
    mac-address 00:01:02:03:04:05
}
net fdb vlan /Common/lan {
    records {
        00:01:02:03:04:06 {
            interface 1.1
        }
    }
}
net fdb tunnel /Common/vx {
    records {
        00:ff:0a:03:03:02 {
            endpoint 10.1.2.1
        }
        ff:ff:ff:ff:ff:ff {
            endpoints {
                10.1.2.1
                10.1.2.2
            }
        }
    }
}
`;

describe('configuration text', () => {
  it('prints what it read', () => {
    assert.equal(print(load(CANONICAL)), CANONICAL);
  });

  it('is canonical whatever it was written like', () => {
    const loose = CANONICAL.replaceAll('/Common/', '')
      .replace('device eth1\n', 'device "eth1"\n    enabled\n')
      .replace('mtu 1550', 'mtu 1550\n    cmp-hash default\n    failsafe disabled')
      .replace('00:ff:0a', '00:FF:A')
      .replace('local-address 10.1.1.1', 'local-address 10.1.1.1%0')
      .replace('remote-address any', 'remote-address 0.0.0.0')
      .replace('10.1.1.1/24\n    vlan', '10.1.1.1/255.255.255.0\n    vlan');
    assert.equal(print(load(loose)), CANONICAL);
  });

  it('does not care for the order of objects', () => {
    const [head, ...stanzas] = CANONICAL.split(/(?<=\n\}\n|1\n\n)/);
    assert.equal(print(load([head, ...stanzas.reverse()].join(''))), CANONICAL);
  });

  it('keeps what it does not know, in place, and says so', () => {
    const text = `#TMSH-VERSION: 1
#WIDEPLANE-FORMAT: 1

net interface 1.1 {
    if-index 48
    device eth1
    lldp {
        admin txonly
        note "a
b"
    }
}
net vlan /Common/wan {
    interfaces {
        1.1 {
            app-service x
            tagged
            x { y }
        }
    }
    sflow {
        poll-interval 10
    }
    tag 5
}
ltm rule /Common/r {
when HTTP_REQUEST { log "brace { in a quote" } }
}
sys httpd { }
`;
    const loaded = load(text);
    assert.equal(print(loaded), text);
    assert.deepEqual(
      loaded.unknown.map((each) => each.text),
      [
        'net interface 1.1: property "if-index" is not known',
        'net interface 1.1: property "lldp" is not known',
        'net vlan /Common/wan interfaces 1.1: property "app-service" is not known',
        'net vlan /Common/wan interfaces 1.1: property "x" is not known',
        'net vlan /Common/wan: property "sflow" is not known',
        'object "ltm rule /Common/r" is of a type that is not known',
        'object "sys httpd" is of a type that is not known',
      ],
    );
  });

  it('does not let an unknown property swallow a known one on the same line', () => {
    const loaded = load('net interface 1.1 { if-index 48 device eth7 media-fixed 10000T-FD }');
    assert.equal(loaded.configuration.objects.get('net interface 1.1')?.own.device, 'eth7');
    assert.equal(loaded.unknown.length, 2);
  });

  it('tells the word none from the value "none"', () => {
    const text = 'net interface 1.1 {\n    description "none"\n    device eth1\n}\n';
    assert.equal(print(load(text)), `#TMSH-VERSION: 1\n#WIDEPLANE-FORMAT: 1\n\n${text}`);
    const without = load(text.replace('"none"', 'none')).configuration.objects.get('net interface 1.1');
    assert.equal(without?.own.description, undefined);
  });

  it('leaves extensions out for a real device', () => {
    const text = printConfiguration(load(CANONICAL).configuration, '1', { withoutExtensions: true });
    for (const ours of ['device', 'adapter', 'udp-checksum', 'source-port-range', 'split-horizon']) {
      assert.ok(!text.includes(`    ${ours} `), ours);
    }
    assert.ok(text.includes('    flooding-type none\n'));
  });

  it('gives a VLAN without a tag the highest free one', () => {
    const text =
      'net interface 1 { device a }\nnet vlan b { }\nnet vlan c { tag 4094 }\nnet vlan d { interfaces { 1 } }\n';
    const { objects } = load(text).configuration;
    const tag = (name: string) => objects.get(`net vlan /Common/${name}`)?.own.tag;
    assert.deepEqual([tag('b'), tag('c'), tag('d')], [4093, 4094, 4092]);
  });

  it('takes an address from the name', () => {
    const text = `${CANONICAL}net self 10.7.7.7/16 { vlan wan }\nnet arp 10.7.7.8 { mac-address 0:0:0:0:0:1 }\n`;
    const { objects } = load(text).configuration;
    assert.equal(objects.get('net self /Common/10.7.7.7/16')?.own.address, '10.7.7.7/16');
    assert.equal(objects.get('net arp /Common/10.7.7.8')?.own['ip-address'], '10.7.7.8');
  });
});

describe('errors in configuration text', () => {
  const cases: [string, string][] = [
    [
      'net vlan a {\n    mtu 99\n}',
      'test.conf:2:9 01070734:3: Configuration error: net vlan /Common/a: mtu must be an integer from 576 to 9216, not "99".',
    ],
    ['net vlan a { mtu }', 'test.conf:1:14 Syntax Error: "mtu" needs a value'],
    ['net vlan a { mtu 1500', 'test.conf:1:22 Syntax Error: a } is missing'],
    ['net vlan a { description "x', 'test.conf:1:26 Syntax Error: this quote is never closed'],
    ['}', 'test.conf:1:1 Syntax Error: unexpected argument "}"'],
    ['net vlan { }', 'test.conf:1:10 Syntax Error: a name is missing'],
    ['net vlan a b { }', 'test.conf:1:12 Syntax Error: unexpected argument "b"'],
    ['net vlan a {\n interfaces add { 1.1 }\n}', 'test.conf:2:13 Syntax Error: unexpected argument "add"'],
    ['ltm rule p { x', 'test.conf:1:12 Syntax Error: this brace is never closed'],
    ['net vlan a { interfaces { 1.1 } }', 'test.conf:1:14 01020036:3: The requested Interface (1.1) was not found.'],
    [
      'net vlan a { tag 1 }\nnet vlan a { tag 2 }',
      'test.conf:2:1 01020066:3: The requested VLAN (/Common/a) already exists in partition Common.',
    ],
    ['net fdb tunnel t { records { } }', 'test.conf:1:1 01020036:3: The requested Tunnel (/Common/t) was not found.'],
    [
      'net vlan /a { }',
      'test.conf:1:1 01070734:3: Configuration error: "/a" is not a valid VLAN name: a full path is /partition/name.',
    ],
    [
      'net vlan a#b { }',
      'test.conf:1:1 01070734:3: Configuration error: "/Common/a#b" is not a valid VLAN name: a name holds letters, digits and _ - . : % / only.',
    ],
    [
      'net interface __proto__ { }',
      'test.conf:1:1 01070734:3: Configuration error: "__proto__" is not a valid Interface name: this name is reserved.',
    ],
  ];
  for (const [text, expected] of cases) {
    it(JSON.stringify(text), () => assert.deepEqual(refusals(text), [expected]));
  }

  it('shows all of them at once, in the order of the text', () => {
    const text = 'net self s {\n  address 10.1.1./24\n  vlan nowhere\n}\nnet vlan v {\n  tag 0\n  mtu x\n}\n';
    assert.deepEqual(
      refusals(text).map((each) => each.replace(/ .*/, '')),
      ['test.conf:2:11', 'test.conf:3:3', 'test.conf:6:7', 'test.conf:7:7'],
    );
  });
});
