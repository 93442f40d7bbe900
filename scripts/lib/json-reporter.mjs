// A reporter of node:test that writes one JSON object a line: for each test its path of names, state and error;
// and when it begins and ends, by its own name.
import { inspect } from 'node:util';

export default async function* report(events) {
  const path = [];
  for await (const { type, data } of events) {
    if (type === 'test:dequeue' || type === 'test:complete') {
      // As they happen; the other events come in the order of the file, when the tests before have ended.
      yield `${JSON.stringify({ event: type === 'test:dequeue' ? 'begin' : 'end', name: data.name })}\n`;
    } else if (type === 'test:start') {
      path.length = data.nesting;
      path.push(data.name);
    } else if (type === 'test:pass' || type === 'test:fail') {
      path.length = data.nesting;
      path.push(data.name);
      const result = {
        event: type === 'test:pass' ? 'pass' : 'fail',
        name: path.join(' > '),
        suite: data.details.type === 'suite',
        skipped: data.skip !== undefined && data.skip !== false,
        todo: data.todo !== undefined && data.todo !== false,
        milliseconds: Math.round(data.details.duration_ms),
      };
      if (type === 'test:fail') {
        result.error = describe(data.details.error);
        // Each of those is a result of its own.
        if (result.suite && data.details.error?.failureType === 'subtestsFailed') continue;
      }
      yield `${JSON.stringify(result)}\n`;
    }
  }
}

/** The error that the test threw, without the wrapper that the test runner puts around it. */
function describe(error) {
  const cause = error?.code === 'ERR_TEST_FAILURE' && error.cause !== undefined ? error.cause : error;
  return typeof cause === 'string' ? cause : inspect(cause, { depth: 4 });
}
