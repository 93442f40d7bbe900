import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MAX_INCLUDE_DEPTH, readMasterFile } from '../../../src/dns/master-file.ts';
import { nameOf } from '../../../src/dns/name.ts';
import { formatProblem } from '../../../src/dns/zone-problem.ts';
import { printed, readText, recordLines, zoneOf } from '../../support/zones.ts';

const HEAD = '$TTL 60\n@ SOA ns admin 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\n';
const HEAD_LINES = 4;
const ORIGIN = 'example.test.';

function linesOf(text: string): string[] {
  const head = new Set(recordLines(zoneOf(HEAD, ORIGIN)));
  return recordLines(zoneOf(HEAD + text, ORIGIN)).filter((line) => !head.has(line));
}

const problemsOf = (text: string, options = {}) => readText(HEAD + text, ORIGIN, options).problems.map(formatProblem);

describe('master files', () => {
  it('give owners, TTLs and classes by what stands in a line and before it', () => {
    const text =
      'a 5 IN A 192.0.2.2\n  TXT x\nb IN 1h A 192.0.2.3\n$TTL 7\nc.d A 192.0.2.4\n$ORIGIN sub\n@ TXT y\n  HINFO a b\n';
    assert.deepEqual(linesOf(text), [
      'a.example.test. 5 IN A 192.0.2.2',
      'a.example.test. 60 IN TXT "x"',
      'b.example.test. 3600 IN A 192.0.2.3',
      'c.d.example.test. 7 IN A 192.0.2.4',
      'sub.example.test. 7 IN HINFO "a" "b"',
      'sub.example.test. 7 IN TXT "y"',
    ]);
  });

  it('take the TTL before, or that of the SOA, where there is no $TTL', () => {
    const soa = '@ SOA ns admin 1 2 3 4 5\n@ NS ns\n';
    assert.match(printed(zoneOf(`${soa}ns 9 A 192.0.2.1\nx TXT a\n`, ORIGIN)), /^x 5 IN TXT "a"$/m);
    assert.match(printed(zoneOf(`@ 7 SOA ns admin 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\n`, ORIGIN)), /^ns 7 IN A/m);
  });

  it('tell every error with file, line and column', () => {
    const problems = problemsOf(
      'a A 192.0.2\nb FOO x\n  A (\n  192.0.2.1 x )\nc..d TXT x\n  TXT y\nd TXT "x\ne A 192.0.2.5 )\n\tMX 1\n',
    );
    assert.deepEqual(problems, [
      `zone.db:${HEAD_LINES + 1}:5: error: not an IPv4 address: "192.0.2"`,
      `zone.db:${HEAD_LINES + 2}:3: error: unknown type "FOO"`,
      `zone.db:${HEAD_LINES + 4}:13: error: text behind the record: "x"`,
      `zone.db:${HEAD_LINES + 5}:1: error: "c..d": a label of the name is empty`,
      `zone.db:${HEAD_LINES + 7}:7: error: a quote is not closed in its line`,
      `zone.db:${HEAD_LINES + 8}:15: error: a parenthesis is closed that nothing has opened`,
      `zone.db:${HEAD_LINES + 9}:6: error: a name is missing`,
    ]);
  });

  it('tell a bounded number of errors', () => {
    const problems = problemsOf('a A x\n'.repeat(1000), { maxProblems: 5 });
    assert.equal(problems.length, 5);
  });

  it('tell where a set stands that the zone cannot have', () => {
    assert.deepEqual(problemsOf('a CNAME ns\nb TXT x\na TXT x\n'), [
      `zone.db:${HEAD_LINES + 1}:1: error: a.example.test. CNAME: other records of the name beside a CNAME`,
    ]);
    assert.deepEqual(readText('', ORIGIN).problems.map(formatProblem), [
      'zone.db:1:1: error: example.test. has no SOA',
      'zone.db:1:1: error: example.test. has no NS',
    ]);
  });

  it('have a bounded number of records, generated ones and repeated ones too', () => {
    assert.match(
      problemsOf('a A 192.0.2.1\n'.repeat(20), { maxRecords: 10 }).join(),
      /more records than a zone may have/,
    );
    assert.match(
      problemsOf('$GENERATE 0-2147483647 a A 192.0.2.1\n', { maxRecords: 1000 }).join(),
      /more records than/,
    );
    assert.match(
      problemsOf('$GENERATE 0-2147483647 a. A 192.0.2.1\n', { maxRecords: 1000 }).join(),
      /more records than/,
    );
  });

  it('warn of TTLs that differ, and take the first in a row, the last otherwise', () => {
    assert.deepEqual(
      linesOf('a 1 A 192.0.2.1\na 2 A 192.0.2.2\n').map((line) => line.split(' ')[1]),
      ['1', '1'],
    );
    assert.deepEqual(
      linesOf('a 1 A 192.0.2.1\nb TXT x\nA 2 A 192.0.2.2\n')
        .slice(0, 2)
        .map((line) => line.split(' ')[1]),
      ['2', '2'],
    );
    assert.match(
      problemsOf('a 1 TXT x\na 2 TXT y\n').join(),
      /warning: the TTLs of a.example.test. TXT differ: 1 counts/,
    );
    assert.deepEqual(problemsOf('a 4294967295 TXT x\n'), [
      `zone.db:${HEAD_LINES + 1}:3: warning: a TTL of more than 2147483647 counts as 0`,
    ]);
  });

  it('need an owner, a TTL and our class', () => {
    assert.match(
      readText('  60 TXT x\n', ORIGIN).problems.map(formatProblem).join('\n'),
      /:1:3: error: there is no owner/,
    );
    assert.match(readText('a TXT x\n', ORIGIN).problems.map(formatProblem).join('\n'), /there is no TTL/);
    assert.match(problemsOf('a CH TXT x\n').join(), /the class is CH, that of the zone is IN/);
    assert.match(problemsOf('a CLASS3 TXT x\n').join(), /the class is CLASS3/);
    assert.match(problemsOf('a\n').join(), /the type is missing/);
  });

  it('refuse directives that are none', () => {
    for (const [text, message] of [
      ['$FOO', /unknown directive "\$FOO"/],
      ['$TTL', /the TTL is missing/],
      ['$TTL x', /not a TTL: "x"/],
      ['$TTL 1 2', /text behind it: "2"/],
      ['$ORIGIN', /the origin is missing/],
      ['$ORIGIN a..b', /a label of the name is empty/],
      ['$INCLUDE', /the file is missing/],
      ['$INCLUDE x', /"x": files cannot be included here/],
    ] as const) {
      assert.match(problemsOf(`${text}\n`).join(), message);
    }
  });
});

describe('$INCLUDE', () => {
  const files: Record<string, string> = {
    'a file': 'x TXT 1\n$ORIGIN deep\ny TXT 2\n$TTL 9\n',
    bad: '\n\nx FOO\n',
    noOwner: '  TXT x\n',
    loop: '$INCLUDE loop\n',
  };
  const include = (name: string) => {
    if (files[name] === undefined) throw new Error('no such file');
    return { file: name, text: Buffer.from(files[name]) };
  };
  const read = (text: string) =>
    readMasterFile(Buffer.from(HEAD + text), { origin: nameOf(ORIGIN), file: 'zone.db', include });

  it('reads the file below an origin, and origin and owner are what they were; the TTL is not', () => {
    const { zone, problems } = read('o TXT o\n$INCLUDE "a file" sub\n  HINFO p p\nq TXT q\n');
    assert.deepEqual(problems, []);
    const lines = recordLines(zone!).filter((line) => /TXT|HINFO/.test(line));
    assert.deepEqual(lines, [
      'o.example.test. 60 IN TXT "o"',
      'o.example.test. 9 IN HINFO "p" "p"',
      'q.example.test. 9 IN TXT "q"',
      'x.sub.example.test. 60 IN TXT "1"',
      'y.deep.sub.example.test. 60 IN TXT "2"',
    ]);
  });

  it('tells errors by their file', () => {
    assert.match(read('$INCLUDE bad\n').problems.map(formatProblem).join(), /^bad:3:3: error: unknown type "FOO"/);
    assert.match(
      read('o TXT o\n$INCLUDE noOwner\n').problems.map(formatProblem).join(),
      /^noOwner:1:3: error: there is no owner/,
    );
    assert.deepEqual(read('$INCLUDE missing\n').problems.map(formatProblem), [
      `zone.db:${HEAD_LINES + 1}:10: error: "missing": no such file`,
    ]);
  });

  it('has a bounded depth', () => {
    const problems = read('$INCLUDE loop\n').problems.map(formatProblem);
    assert.deepEqual(problems, [`loop:1:10: error: files include each other ${MAX_INCLUDE_DEPTH} deep: "loop"`]);
  });
});

describe('$GENERATE', () => {
  it('makes a record of each number', () => {
    assert.deepEqual(linesOf('$GENERATE 8-12/2 h${-8,3} 5 TXT "\\"$ $$ \\\\$\\" ${0,4,x}${1,0,X}"\n'), [
      'h000.example.test. 5 IN TXT "8 $ \\\\8" "00089"',
      'h002.example.test. 5 IN TXT "10 $ \\\\10" "000aB"',
      'h004.example.test. 5 IN TXT "12 $ \\\\12" "000cD"',
    ]);
  });

  it('makes names of nibbles', () => {
    assert.deepEqual(linesOf('$GENERATE 26-26 ${0,3,n}.x PTR ${0,4,N}\n'), ['a.1.x.example.test. 60 IN PTR A.1.']);
    assert.deepEqual(linesOf('$GENERATE 1-1 x${0,6,n}y TXT x\n'), ['x1.0.0.y.example.test. 60 IN TXT "x"']);
  });

  it('is relative to the origin and leaves the owner before it', () => {
    assert.deepEqual(linesOf('o TXT o\n$GENERATE 1-1 a A 192.0.2.$\n  TXT p\n'), [
      'a.example.test. 60 IN A 192.0.2.1',
      'o.example.test. 60 IN TXT "o"',
      'o.example.test. 60 IN TXT "p"',
    ]);
  });

  it('tells what is wrong, and of which number', () => {
    for (const [text, message] of [
      ['5-1 a A 192.0.2.$', /not a range: "5-1"/],
      ['1-2/0 a A 192.0.2.$', /not a range/],
      ['1 a A 192.0.2.$', /not a range/],
      ['1-2', /the owner is missing/],
      ['1-2 a', /the type is missing/],
      ['1-2 a A', /RDATA is missing/],
      ['1-2 a A 192.0.2.1 x', /text behind it/],
      ['255-256 a A 192.0.2.$', /for 256: not an IPv4 address: "192.0.2.256"/],
      ['1-2 a${0,1,z} A 192.0.2.1', /base is one of d, o, x, X, n and N/],
      ['1-2 a${0,999} A 192.0.2.1', /a width of more than 255/],
      ['1-2 a..$ A 192.0.2.1', /for 1: a label of the name is empty/],
      ['1-2 a FOO 192.0.2.1', /unknown type "FOO"/],
    ] as const) {
      assert.match(problemsOf(`$GENERATE ${text}\n`).join(), message);
    }
    assert.match(problemsOf('$GENERATE 1-1 a. A 192.0.2.1\n').join(), /warning: a\. is not in the zone: left out/);
  });
});

describe('printed zones', () => {
  it('begin with SOA and servers and go on in canonical order', () => {
    const text = 'b A 192.0.2.2\nb A 192.0.2.1\na.b TXT x\nA TXT x\n@ MX 5 ns\na AAAA ::1\n\\$x TXT x\n* TXT x\n';
    assert.equal(
      printed(zoneOf(HEAD + text, ORIGIN)),
      `$ORIGIN example.test.
@ 60 IN SOA ns.example.test. admin.example.test. 1 2 3 4 5
@ 60 IN NS ns.example.test.
@ 60 IN MX 5 ns.example.test.
\\$x 60 IN TXT "x"
* 60 IN TXT "x"
A 60 IN TXT "x"
a 60 IN AAAA ::1
b 60 IN A 192.0.2.1
b 60 IN A 192.0.2.2
a.b 60 IN TXT "x"
ns 60 IN A 192.0.2.1
`,
    );
  });

  it('of the root have absolute names', () => {
    const zone = zoneOf('. 60 SOA ns. admin. 1 2 3 4 5\n. 60 NS ns.\nns. 60 A 192.0.2.1\n', '.');
    assert.match(printed(zone), /^\$ORIGIN \.\n@ 60 IN SOA|^\$ORIGIN \.\n\. 60 IN SOA/);
    assert.deepEqual(recordLines(zoneOf(printed(zone), '.')), recordLines(zone));
  });
});
