import type { Schema } from './dto-schema.js';
import { type AnswerDescription, type RouteDescription, ROUTES } from './routes.js';
import { SCHEMAS } from './schemas.js';

/** The OpenAPI 3.0 document of the Watcher API, made from the table of routes and the validation rules. */
export function openApiDocument(version: string): Record<string, unknown> {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of ROUTES) (paths[route.path] ??= {})[route.method] = operation(route);
  return {
    openapi: '3.0.3',
    info: { title: 'Backend.AI Agent, Watcher API', version },
    paths,
    components: {
      schemas: SCHEMAS,
      securitySchemes: {
        watcherToken: { type: 'apiKey', in: 'header', name: 'X-BackendAI-Watcher-Token' },
        bearer: { type: 'http', scheme: 'bearer' },
      },
    },
    security: [{ watcherToken: [] }, { bearer: [] }],
  };
}

function operation(route: RouteDescription): Schema {
  return {
    operationId: route.id,
    summary: route.summary,
    parameters: [...pathParameters(route.path), ...queryParameters(route.query)],
    ...(route.body === undefined
      ? {}
      : { requestBody: { required: true, content: { 'application/json': { schema: route.body } } } }),
    responses: {
      ...Object.fromEntries(Object.entries(route.answers).map(([status, answer]) => [status, response(answer)])),
      default: {
        description: 'A problem (RFC 7807).',
        content: { 'application/problem+json': { schema: reference('Problem') } },
      },
    },
    ...(route.open === true ? { security: [] } : {}),
  };
}

function pathParameters(path: string): Schema[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    ...{ name, in: 'path', required: true },
    schema: name === 'id' ? { type: 'string', format: 'uuid' } : { type: 'string' },
  }));
}

function queryParameters(query: Schema | undefined): Schema[] {
  const properties = (query?.['properties'] ?? {}) as Readonly<Record<string, Schema>>;
  return Object.entries(properties).map(([name, schema]) => ({ name, in: 'query', required: false, schema }));
}

function response(answer: AnswerDescription): Schema {
  if ('media' in answer) return { description: answer.media, content: { [answer.media]: {} } };
  const schema = reference(answer.schema);
  return {
    description: answer.schema,
    content: { 'application/json': { schema: answer.list === true ? { type: 'array', items: schema } : schema } },
  };
}

function reference(name: string): Schema {
  return { $ref: `#/components/schemas/${name}` };
}
