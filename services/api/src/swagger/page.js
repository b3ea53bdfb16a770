// The page to try the server API: made from the description beside it, with the browser's own means.

const here = document.querySelector('script[src$="page.js"]').src.replace(/page\.js$/, '');
const byId = (id) => document.getElementById(id);

/** An element with properties and children. */
function make(name, properties = {}, ...children) {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
}

/** The schema that a reference stands for, or the schema itself. */
function resolved(api, schema) {
  const reference = schema.$ref ?? schema.allOf?.[0]?.$ref;
  return reference ? api.components.schemas[reference.split('/').pop()] : schema;
}

function typeOf(api, schema) {
  const reference = schema.$ref ?? schema.allOf?.[0]?.$ref;
  if (reference) return reference.split('/').pop();
  if (schema.type === 'array') return `list of ${typeOf(api, schema.items)}`;
  if (schema.additionalProperties) return `map of ${typeOf(api, schema.additionalProperties)}`;
  return schema.format ?? schema.type ?? 'any JSON';
}

/** The fields of an object schema as a table; nested ones are named by their types. */
function fields(api, schema) {
  const rows = Object.entries(schema.properties ?? {}).map(([name, field]) =>
    make('tr', {}, make('td', {}, name), make('td', {}, typeOf(api, field)), make('td', {}, field.description ?? '')));
  return rows.length ? make('table', {}, make('tbody', {}, ...rows)) : make('p', { className: 'quiet' }, 'No fields.');
}

/** The types that are used below a schema, each once. */
function below(api, schema, known = new Map()) {
  for (const field of Object.values(schema.properties ?? {})) {
    const inner = field.items ?? field.additionalProperties ?? field;
    const name = typeOf(api, inner);
    const nested = resolved(api, inner);
    if (nested?.properties && !known.has(name)) {
      known.set(name, nested);
      below(api, nested, known);
    }
  }
  return known;
}

async function send(api, path, body) {
  const headers = { 'Content-Type': 'application/json' };
  if (byId('key').value) headers['X-API-Key'] = byId('key').value;
  if (byId('transport').checked) headers['X-Centrifugo-Error-Mode'] = 'transport';
  const started = performance.now();
  const response = await fetch(api.servers[0].url.replace(/\/$/, '') + path, { method: 'POST', headers, body });
  const text = await response.text();
  const took = Math.round(performance.now() - started);
  return { line: `${response.status} ${response.statusText}, ${took} ms`, text };
}

/** JSON with indents. Numbers stay as they were written: some are longer than JavaScript can hold. */
function indented(text) {
  try {
    return JSON.stringify(JSON.parse(text, (_key, value, context) =>
      typeof value === 'number' && context?.source && JSON.rawJSON ? JSON.rawJSON(context.source) : value), null, 2);
  } catch {
    return text;
  }
}

function show(api, path) {
  const operation = api.paths[path].post;
  const content = operation.requestBody.content['application/json'];
  const request = resolved(api, content.schema);
  const body = make('textarea', {
    id: 'body', spellcheck: false, value: JSON.stringify(content.example ?? {}, null, 2),
  });
  const status = make('p', { id: 'status', className: 'quiet' });
  const answer = make('pre', { id: 'answer', hidden: true });
  const button = make('button', { type: 'button', id: 'send' }, 'Send');
  button.onclick = async () => {
    button.disabled = true;
    try {
      const { line, text } = await send(api, path, body.value);
      status.textContent = line;
      answer.textContent = indented(text);
    } catch (problem) {
      status.textContent = 'No answer.';
      answer.textContent = String(problem);
    }
    answer.hidden = false;
    button.disabled = false;
  };
  body.onkeydown = (event) => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) button.click();
  };
  const types = [...below(api, request)].flatMap(([name, schema]) =>
    [make('h3', {}, name), fields(api, schema)]);
  byId('method').replaceChildren(
    make('h2', {}, path.slice(1)),
    make('p', {}, operation.description ?? operation.summary ?? ''),
    make('h3', {}, make('label', { htmlFor: 'body' }, 'Request')), body,
    make('p', {}, button, ' ', make('span', { className: 'quiet' }, 'or Ctrl+Enter')),
    make('h3', {}, 'Answer'), status, answer,
    make('h3', {}, 'Fields of the request'), fields(api, request), ...types,
  );
}

function list(api, text) {
  const current = location.hash.slice(1);
  const tags = new Map(api.tags.map((tag) => [tag.name, []]));
  for (const [path, { post }] of Object.entries(api.paths)) {
    if (!path.includes(text)) continue;
    const link = make('a', { href: `#${path}`, title: post.summary }, path.slice(1));
    if (path === current) link.setAttribute('aria-current', 'page');
    tags.get(post.tags[0]).push(link);
  }
  const filled = [...tags].filter(([, links]) => links.length);
  byId('methods').replaceChildren(...filled.flatMap(([tag, links]) => [make('h3', {}, tag), ...links]));
}

async function start() {
  const api = await (await fetch(`${here}openapi.json`)).json();
  const turn = () => {
    const path = location.hash.slice(1);
    show(api, path in api.paths ? path : '/publish');
    list(api, byId('find').value);
  };
  byId('find').oninput = () => list(api, byId('find').value);
  addEventListener('hashchange', turn);
  turn();
}

start().catch((problem) => {
  byId('method').textContent = `The description cannot be read: ${problem}`;
});
