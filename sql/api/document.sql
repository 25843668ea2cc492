-- api.document - writes the documentation of an endpoint. The file of each endpoint calls it.
set local role leads_owner;

create or replace procedure api.document(
  function text,
  tag text,
  request text default null,
  rule json default null,
  answer text default null,
  form text default null,
  statuses integer[] default '{200}',
  headers text[] default '{}',
  problems text[] default '{}',
  parameters json default '{}',
  examples json default '{}'
)
language sql
begin atomic
  insert into api.operation (
    function, tag, request, rule, answer, form, statuses, headers, problems, parameters, examples
  )
  values (
    document.function, document.tag, document.request, document.rule, document.answer, document.form, document.statuses,
    document.headers, document.problems, document.parameters, document.examples
  )
  on conflict on constraint operation_pkey do update
  set
    tag = excluded.tag,
    request = excluded.request,
    rule = excluded.rule,
    answer = excluded.answer,
    form = excluded.form,
    statuses = excluded.statuses,
    headers = excluded.headers,
    problems = excluded.problems,
    parameters = excluded.parameters,
    examples = excluded.examples;
end;

comment on procedure api.document(
  text, text, text, json, text, text, integer[], text[], text[], json, json
) is
$$Writes the row of api.operation for a function; the comments on its columns explain the arguments.

The summary and the description come from the function's comment, the parameters from its signature, and the fields from
the types. Only the owner of the table can call it.$$;
