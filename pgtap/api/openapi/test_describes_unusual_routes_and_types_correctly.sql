begin;
select plan(13);

create type api.part as (at interval, share double precision);
create type api.whole as (parts api.part[], numbers integer[], kind text, share numeric);
create table test.whole (
  kind text check (kind in ('A-b', 'it''s', 'c d')),
  share numeric check (share >= -0.5 and share <= 0.5)
);
insert into api.shape (type, relation) values ('api.whole', 'test.whole');
create domain api.word as text;

create function api.get_whole(id uuid, "limit" integer default 5, is_new boolean default false)
returns api.answer
language sql
stable
as $$select null::api.answer$$;
grant execute on function api.get_whole(uuid, integer, boolean) to leads_api;
update api.parameter set example = 'many' where name = 'limit';
insert into api.parameter (name, description, example) values ('is_new', 'New.', '');
create function api.get_word(id uuid)
returns api.answer
language sql
stable
as $$select null::api.answer$$;
grant execute on function api.get_word(uuid) to leads_api;
call api.document('api.get_whole', tag => 'Leads', answer => 'api.whole', headers => '{X-Whole}');
call api.document('api.get_word', tag => 'Leads', answer => 'api.word');
insert into api.route (method, path, function)
values
  ('GET', '/a"b\c</script>/{id}', 'api.get_whole'),
  ('GET', '/wholes/{id}', 'api.get_whole'),
  ('GET', '/words/{id}', 'api.get_word');

create function test.operation(path text)
returns jsonb
language sql
as $$select api.openapi()::jsonb #> array['paths', operation.path, 'get']$$;
create function test.fields(type text)
returns jsonb
language sql
as $$select api.openapi()::jsonb #> array['components', 'schemas', fields.type, 'properties']$$;

select is(test.operation('/a"b\c</script>/{id}') ->> 'operationId', 'get_whole', 'a path can have quotes');
select is(test.operation('/wholes/{id}') ->> 'operationId', 'get_whole_2', 'an operationId is unique');
select is(
  test.operation('/words/{id}') #> '{responses,200,content,application/json,schema}', '{}', 'a type without fields is any JSON'
);
select is(
  jsonb_path_query_array(test.operation('/wholes/{id}'), '$.parameters[1 to 2].examples.default.value'),
  '["many", ""]',
  'an example that isn''t JSON is a string'
);
select is(
  api.openapi()::jsonb #> '{components,headers,X-Whole}', '{"schema": {"type": "string"}}', 'a header that only one route has'
);
select is(
  test.fields('Whole') -> 'parts',
  '{"type": ["array", "null"], "items": {"$ref": "#/components/schemas/Part"}}',
  'a list of another type'
);
select is(
  test.fields('Part'), '{"at": {"type": ["string", "null"]}, "share": {"type": ["number", "null"]}}', 'the other type is described, too'
);
select is(test.fields('Whole') -> 'kind' -> 'enum', '["A-b", "it''s", "c d", null]', 'the words of a CHECK');
select is(
  test.fields('Whole') -> 'share', '{"type": ["number", "null"], "minimum": -0.5, "maximum": 0.5}', 'limits that aren''t integers'
);
select throws_ok(
  $$call api.document('api.get_word', tag => 'Leads', rule => '[1]')$$, '23514', null, 'a rule must be an object'
);
select throws_ok(
  $$call api.document('api.get_word', tag => 'Leads', headers => '{"X\"y"}')$$, '23514', null, 'a header must be a valid name'
);
select throws_ok(
  $$call api.document('api.get_word', tag => 'Leads', statuses => '{404}')$$, '23514', null, 'the status of a success must be 2xx'
);
call api.document('api.get_word', tag => 'CRM', parameters => '{"id": "The id of the word."}');
select is(
  jsonb_build_array(
    test.operation('/words/{id}') -> 'tags', test.operation('/words/{id}') #> '{parameters,0,description}'
  ),
  '[["CRM"], "The id of the word."]',
  'the last documentation of a function counts, and it can describe a parameter'
);

select * from finish();
rollback;
