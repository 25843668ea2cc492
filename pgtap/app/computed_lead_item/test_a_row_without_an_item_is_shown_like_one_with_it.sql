begin;
select plan(9);

create function test.shown()
returns table (name text, answer api.answer) language sql volatile
begin atomic
  select q.name, q.answer
  from (
    values
      ('all', api.list_leads()), ('limit', api.list_leads(2)), ('email', api.list_leads(email => '{1@example.com}')),
      ('stage', api.list_leads(pipeline_stage => '{new}')), ('source', api.list_leads(source => '{web}')),
      ('both', api.list_leads(pipeline_stage => '{new,won}', source => '{web}')),
      ('get', api.get_lead(lead('2@example.com')))
  ) as q (name, answer);
end;

select act_as('alice');
select made_lead(format('{"email": "%s@example.com", "name": %s, "source": "web"}', t.n, to_json(t.value)))
from unnest(array['Ada', 'a "b" \ /', 'äöü 漢字 😀', 'a' || chr(10) || chr(9) || 'c', '</script>&'''])
  with ordinality as t (value, n);
select keep('create', api.create_lead('{"email": "created@example.com"}'));
select keep(s.name, s.answer) from shown() as s;
select ok(strpos((kept('all')).body, (kept('create')).body) > 0, 'POST shows the same');

select act_as('dba');
alter table app.lead disable trigger user;
update app.lead set item = null;
alter table app.lead enable trigger user;
select act_as('alice');
select is((s.answer).body, (kept(s.name)).body, s.name) from shown() as s;
select is((api.update_lead(lead('1@example.com'), '{}')).body::json ->> 'name', 'Ada', 'a PATCH that changes nothing');

select * from finish();
rollback;
