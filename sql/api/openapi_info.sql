-- api.openapi_info - the info object of the OpenAPI document: title, version, license and guide.
set local role leads_exec;

create or replace function api.openapi_info()
returns text language sql stable security invoker set search_path = pg_catalog, pg_temp
begin atomic
  select api.object_text(
    'title', '"Leads API"',
    'summary', api.json_text(
      'Leads of an organization: stored, scored with reasons, pushed to its CRM exactly once, and audited.'
    ),
    'version', api.json_text(api.release_version()),
    'contact', '{"name":"API support","email":"api@example.com"}',
    'license', '{"name":"MIT","identifier":"MIT"}',
    'description', api.json_text(concat_ws(
      E'\n\n',
      'The Leads API stores the leads of a company: people who have shown interest on a web page, in another service or in '
      'your own program. It scores each lead with reasons, pushes it to the CRM, and records every change in an audit log. '
      'Programs send and receive JSON over HTTP, with a key that reaches only the records of one organization.',
      (select string_agg(format(E'## %s\n\n%s', g.title, g.body), E'\n\n' order by g.position) from api.guide as g),
      '## Error codes',
      -- The type of a problem is the address of its row in this table.
      (
        select E'| code | status | what to do |\n| --- | --- | --- |\n'
          || string_agg(format('| `%s` | %s | %s |', p.code, p.status, p.detail), E'\n' order by p.status, p.code)
        from api.problem as p
        where p.raised_by = p.code
      )
    ))
  );
end;

comment on function api.openapi_info() is
  'The info object, as JSON text. Its description is an introduction and the guide (api.guide), with a table of the error codes.';
