import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { emptyConfiguration } from '../../../src/config/configuration.ts';
import type { Configuration } from '../../../src/config/configuration.ts';
import { loadText } from '../../../src/config/load-text.ts';
import type { Loaded } from '../../../src/config/load-text.ts';
import { findObjectType } from '../../../src/config/object-types.ts';
import { printConfiguration } from '../../../src/config/print.ts';
import { ConfigErrors, Transaction } from '../../../src/config/transaction.ts';
import { ConfigSyntaxError } from '../../../src/core/errors.ts';

const HEADER = '#TMSH-VERSION: 1\n#WIDEPLANE-FORMAT: 1\n\n';

function load(text: string, into?: Configuration): Loaded {
  const merge = into === undefined ? {} : { mergeInto: into };
  return loadText(text, into ?? emptyConfiguration(), { file: 'f', ...merge });
}

const print = ({ configuration }: { configuration: Configuration }): string =>
  printConfiguration(configuration, '1').slice(HEADER.length);

function refused(text: string): ConfigErrors {
  try {
    load(text);
  } catch (error) {
    assert.ok(error instanceof ConfigErrors, String(error));
    return error;
  }
  return assert.fail('it was accepted');
}

/** `line:column what` of each error, S for one of syntax. */
const places = (text: string): string[] =>
  refused(text).errors.map((error) => {
    const { position, property } = error.details;
    const what = error instanceof ConfigSyntaxError ? 'S' : (property ?? error.code);
    return `${position!.line}:${position!.column} ${what}`;
  });

describe('errors of a text', () => {
  it('are all shown at once: reading goes on at the next stanza', () => {
    const text = `net vlan a {
    interfaces add { 1.1 }
}
net vlan b {
    tag 5000
    mtu
}
net vlan c {
    tag 7
net vlan d {
    tag 0
    description "never closed
}
net vlan e { mtu 5 }
}
prose that is no stanza
ltm rule /Common/r {
when X { if { 1 } {
}
ltm pool /Common/p {
    members { x }
}
create net vlan f { }
`;
    assert.deepEqual(places(text), [
      '2:16 S',
      '5:9 tag',
      '6:5 S',
      '10:1 S',
      '11:9 tag',
      '12:17 S',
      '14:18 mtu',
      '15:1 S',
      '17:20 S',
      '21:15 members',
      '23:1 S',
    ]);
  });

  it('are not followed by what they lead to', () => {
    const text = `net interface 1.1 { device eth1 }
net vlan a { interfaces { 1.1 } tag }
net self s { address 10.1.1.1/24 vlan a }
net fdb vlan a { records { 00:00:00:00:00:01 { interface 1.1 } } }
net vlan-group g { members { a } }
net self t { address nonsense vlan missing }
`;
    assert.deepEqual(places(text), ['2:33 S', '6:22 address', '6:31 vlan']);
  });

  it('are limited in number, with a count of the rest', () => {
    const lines = Array.from({ length: 250 }, (_, index) => `net vlan v${index} { mtu 1 }`);
    const { errors, omitted, message } = refused(lines.join('\n'));
    assert.equal(errors.length, 100);
    assert.equal(omitted, 150);
    assert.deepEqual(
      errors.map(({ details }) => details.position!.line),
      Array.from({ length: 100 }, (_, index) => index + 1),
    );
    assert.match(message, /There are 150 more errors: correct these first\.$/);
  });

  it('cost no more than reading does, however many blocks are never closed', () => {
    const text = 'ltm rule /Common/x {\nwhen Y {\n'.repeat(20_000);
    const start = process.cpuUsage();
    assert.equal(refused(text).errors.length, 100);
    assert.ok(process.cpuUsage(start).user < 10e6);
  });

  it('leave nothing of the text behind', () => {
    const before = load('net vlan a { tag 5 }\nltm rule x { }\n').configuration;
    const printed = print({ configuration: before });
    assert.throws(() => load('net vlan b { tag 6 }\nltm rule y { }\nnet vlan a { mtu 0 }\n', before), ConfigErrors);
    assert.equal(print({ configuration: before }), printed);
  });
});

describe('what real files contain', () => {
  it('continued lines, quotes over lines, escapes, one-line forms and the ends of lines of another system', () => {
    const text = `\uFEFFnet interface \\
    1.1 { device eth1 description "two
lines, a \\"quote\\" and a \\\\" } net vlan one { interfaces { 1.1 { tagged } } tag 9 }
net vlan \\t\\wo { tag \\
  10 }
`;
    const expected = `net interface 1.1 {
    description "two
lines, a \\"quote\\" and a \\\\"
    device eth1
}
net vlan /Common/one {
    interfaces {
        1.1 {
            tagged
        }
    }
    tag 9
}
net vlan /Common/two {
    tag 10
}
`;
    assert.equal(print(load(text)), expected);
    assert.equal(print(load(text.replaceAll('\n', '\r\n'))), expected);
  });

  it('a line of a megabyte', () => {
    const value = 'x'.repeat(60_000);
    const extras = Array.from({ length: 20_000 }, (_, index) => `# u${index} { a b }`).join(' ');
    const many = Array.from({ length: 20_000 }, (_, index) => `u${index} { a b }`).join(' ');
    const start = process.cpuUsage();
    const loaded = load(`net vlan a { description ${value} ${many} tag 9 }\nltm rule b { ${extras} }\n`);
    assert.ok(process.cpuUsage(start).user < 5e6);
    assert.equal(loaded.configuration.objects.get('net vlan /Common/a')?.extras.length, 20_000);
  });

  it('a value that looks like a stanza, which survives', () => {
    const text = 'net vlan /Common/a {\n    description "x\\\nnet vlan b { \\"}\n"\n    tag 5\n}\n';
    assert.equal(load(text).configuration.objects.get('net vlan /Common/a')?.own.description, 'x\nnet vlan b { "}\n');
    assert.equal(print(load(text)), text);
  });

  it('comments at every place, which stay where the text allows', () => {
    const text = `# in front
# of the first
net interface 1.1 {
    # first in it
    device eth1 # behind a value
    enabled #right behind
    # last in it, "odd {
}
net vlan /Common/a {
    interfaces {
        # before a record
        1.1 {
            # in a record
            tagged
        }
    }
    tag 5
}
# of what is not known }
ltm pool-x /Common/p {
    # inside
    a b # { "
}
# the end
`;
    const printed = print(load(text));
    for (const comment of text.match(
      /# ?(?:in front|of the|first|behind|right|last|in a|of what|inside|the end)[^\n]*/g,
    )!) {
      assert.ok(printed.includes(comment), `${comment}\n${printed}`);
    }
    assert.equal(print(load(printed)), printed);
    assert.ok(printed.startsWith('# in front\n# of the first\nnet interface 1.1 {\n    # first in it\n'));
    assert.ok(printed.endsWith('# of what is not known }\n' + text.slice(text.indexOf('ltm pool-x'))));
  });

  it('a header of the file, which is no comment on the first object', () => {
    const loaded = load('# running since x\n#TMSH-VERSION: 15.1.8\n# more of it\n\nnet vlan a { tag 5 }\n');
    assert.equal(print(loaded), 'net vlan /Common/a {\n    tag 5\n}\n');
  });
});

describe('what is not known', () => {
  const known = (name: string, tag: number) => `net vlan /Common/${name} {\n    tag ${tag}\n}\n`;
  const unknown = (name: string) => `ltm nat /Common/${name} {\n    destination 10.1.1.1:80\n}\n`;

  it('comes back between the objects that it stood between', () => {
    const text = unknown('first') + known('a', 5) + unknown('u') + unknown('v') + known('b', 6) + unknown('last');
    assert.equal(print(load(text)), text);
  });

  it('stays behind the object that it stood behind, when their order changes', () => {
    const text = known('b', 6) + unknown('u') + known('a', 5);
    assert.equal(print(load(text)), known('a', 5) + known('b', 6) + unknown('u'));
  });

  it('follows what stood before it, when its object is gone', () => {
    const { configuration } = load(known('a', 5) + unknown('u') + known('b', 6) + unknown('v'));
    const objects = new Map(configuration.objects);
    objects.delete('net vlan /Common/b');
    assert.equal(print({ configuration: { ...configuration, objects } }), known('a', 5) + unknown('u') + unknown('v'));
  });

  it('follows its object to another name', () => {
    const transaction = new Transaction(load(known('a', 5) + unknown('u') + known('b', 6)).configuration);
    transaction.rename(findObjectType('net vlan')!, '/Common/b', '/Common/c');
    transaction.rename(findObjectType('net vlan')!, '/Common/a', '/Common/b');
    assert.equal(print(transaction.finish()), known('b', 5) + unknown('u') + known('c', 6));
  });

  it('is replaced in place by a text that is merged in, and added at the end', () => {
    const before = load(known('a', 5) + unknown('u') + known('b', 6));
    const text = 'ltm nat /Common/u { }\nltm nat /Common/w { }\n';
    const expected = `${known('a', 5)}ltm nat /Common/u { }\n${known('b', 6)}ltm nat /Common/w { }\n`;
    assert.equal(print(load(text, before.configuration)), expected);
  });

  it('gives way to an object of this version with its name', () => {
    const before = load('net tunnels tunnel t { profile ipip local-address 10.1.1.1 }\n');
    assert.equal(before.unknown.length, 1);
    const after = load('net tunnels tunnel t { profile gre local-address 10.1.1.1 }\n', before.configuration);
    assert.ok(!print(after).includes('ipip'));
    assert.ok(after.configuration.objects.has('net tunnels tunnel /Common/t'));
  });

  it('takes along what leans on it; what leads nowhere is an error still', () => {
    const text = `net trunk t1 { }
net vlan v { interfaces { t1 { tagged } } tag 5 }
net tunnels tunnel t { profile /Common/ipip local-address 10.1.1.1 }
net self s { address 10.2.1.1/24 vlan t }
net vlan-group g { members { v t } }
`;
    const { unknown: entries, configuration } = load(text);
    assert.deepEqual(
      entries.map(({ kind, type, name, position }) => `${position.line} ${kind} ${type} ${name}`),
      [
        '1 object net trunk t1',
        '2 item net vlan /Common/v',
        '3 object net tunnels tunnel t',
        '4 object net self s',
        '5 item net vlan-group /Common/g',
      ],
    );
    assert.deepEqual(configuration.objects.get('net vlan-group /Common/g')?.own.members, ['/Common/v']);
    assert.deepEqual(places(text.replace('{ t1 {', '{ t2 {')), ['2:14 interfaces']);
    assert.deepEqual(places(text.replace('/Common/ipip', '/Common/ipips')), ['3:24 profile']);
  });

  it('goes from a list when the list is set anew', () => {
    const text = 'net trunk t1 { }\nnet vlan v { interfaces { t1 { tagged } } tag 5 }\n';
    const { configuration } = load('net vlan v { interfaces none tag 6 }\n', load(text).configuration);
    assert.ok(!print({ configuration }).includes('tagged'));
  });
});
