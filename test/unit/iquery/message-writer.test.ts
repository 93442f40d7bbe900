import assert from 'node:assert/strict';
import { it } from 'node:test';
import { DOCUMENT_START, writeMessage } from '../../../src/iquery/message-writer.ts';
import type { Message } from '../../../src/iquery/messages.ts';
import { hearText, OPENED } from '../../support/iquery-messages.ts';

const wrote = (reason: string): string => writeMessage({ message: 'bye', reason }).slice(13, -16);

it('a message is one element with one for each field, in the order of the table', () => {
  const message: Message = { message: 'heartbeat', time: 5, number: 7, echo: undefined };
  assert.equal(writeMessage(message), '<heartbeat><number>7</number><time>5</time></heartbeat>\n');
  assert.equal(
    writeMessage({
      ...{ message: 'subscribe', grammar: 1, device: 'd', device_id: 'i', time: 2, compression: ['gzip', 'none'] },
      ...{ sync_group: 'g', is_gtm: false },
    }),
    '<subscribe><grammar>1</grammar><device>d</device><device_id>i</device_id><time>2</time>' +
      '<compression>gzip</compression><compression>none</compression><sync_group>g</sync_group><is_gtm>no</is_gtm></subscribe>\n',
  );
});

it('the greeting is that of the reference', () => {
  assert.equal(
    DOCUMENT_START + writeMessage({ message: 'version', value: '16.1.3.3' }),
    '<xml_connection>\n<version>16.1.3.3</version>\n',
  );
});

it('text is escaped, and what XML cannot say is replaced', () => {
  assert.equal(wrote('a<b>&c\r\n\t"\''), 'a&lt;b&gt;&amp;c&#13;\n\t"\'');
  assert.equal(wrote('\0\u001b\ud800x\udc00\ufffe\uffff'), '\ufffd\ufffd\ufffdx\ufffd\ufffd\ufffd');
  assert.equal(wrote('\u007f\u0085'), '&#127;&#133;');
  assert.equal(wrote('𝄞'), '𝄞');
});

it('what does not fit its field is made to, so that a reader takes the message', () => {
  const long = `${'x'.repeat(511)}𝄞yz`;
  assert.equal(wrote(long), 'x'.repeat(511), 'not half a character');
  for (const [number, time] of [
    [Number.NaN, -5],
    [Infinity, 1.6],
    [2 ** 60, 0.4],
  ] as const) {
    const { messages, error } = hearText(OPENED + writeMessage({ message: 'heartbeat', number, time }));
    assert.equal(error, undefined);
    assert.deepEqual(messages[1], {
      message: 'heartbeat',
      number: Number.isNaN(number) ? 0 : Number.MAX_SAFE_INTEGER,
      time: Math.max(0, Math.round(time)),
    });
  }
  const many = Array.from({ length: 70 }, (_, index) => `${index}`.padEnd(600, '.'));
  const offer: Message = { message: 'offer', grammar: 1, device: '', device_id: '', time: 0, compression: many };
  const { messages } = hearText(OPENED + writeMessage(offer));
  assert.deepEqual(messages[1], { ...offer, compression: many.slice(0, 64).map((text) => text.slice(0, 512)) });
});
