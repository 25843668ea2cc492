begin;
select plan(20);

create view test.wrong_item as
select l.id, l.item
from app.lead as l
where l.item is distinct from row_to_json(app.lead_item(row(l.*)::app.lead_values))::text;

insert into app.lead (organization_id, email, item) values (organization('alice'), 'ada@example.com', '{"id":"forged"}');
select is(
  (select l.item from app.lead as l),
  (
    select format(
      '{"id":"%s","organization_id":"%s","name":null,"company":null,"email":"ada@example.com","source":null,'
      '"lead_score":0,"pipeline_stage":"new","industry":null,"company_size":null,"created_at":"%s","updated_at":"%s"}',
      l.id, l.organization_id, app.utc_text(l.created_at), app.utc_text(l.updated_at)
    )
    from app.lead as l
  ),
  'an INSERT cannot set it'
);
update app.lead set item = '{"id":"forged"}', name = 'Ada';
select is((select l.item::json ->> 'name' from app.lead as l), 'Ada', 'an UPDATE cannot set it');
select is_empty('select * from test.wrong_item', 'the rest of it is right too');

-- In one transaction updated_at would not change.
create function test.change(assignment text)
returns setof test.wrong_item language plpgsql volatile
as $$
begin
  alter table app.lead disable trigger user;
  update app.lead as l set updated_at = now() - interval '1 hour';
  update app.lead as l set item = row_to_json(app.lead_item(row(l.*)::app.lead_values))::text;
  alter table app.lead enable trigger user;
  execute 'update app.lead set ' || change.assignment;
  return query select * from test.wrong_item;
end $$;
select is_empty(format('select change(%L)', c.assignment), c.assignment)
from (values
  ($$name = '"Ä" \ 😀' || chr(10) || chr(9) || '</script>'$$), ($$name = null$$), ($$company = 'Ada Ltd'$$),
  ($$email = 'ADA@example.com'$$), ($$source = 'web'$$), ($$lead_score = 7$$), ($$pipeline_stage = 'qualified'$$),
  ($$industry = 'roofing'$$), ($$company_size = '11-50'$$), ($$pain_points = 'damp'$$), ($$ai_reasoning = 'because'$$),
  ($$timeline = 'now', item = null$$), ($$item = 'forged'$$)
) as c (assignment);
select is((select l.updated_at from app.lead as l), now()::timestamptz(3) - interval '1 hour', 'the last change changed nothing');

set local timezone = 'Asia/Tokyo';
select act_as('alice');
select api.update_lead(lead('ADA@example.com'), '{"name": "Ada II", "pipeline_stage": "won"}');
select api.create_signals(lead('ADA@example.com'), '{"type": "storm_event", "value": true}');
select api.score_lead(lead('ADA@example.com'));
select made_lead('{"name": "Eve", "email": "eve@example.com"}');
select act_as('operator');
select is(
  admin.load_leads(organization('alice'), '[
    {"email": "first@example.com", "lead_score": 5, "pipeline_stage": "qualified", "created_at": "0001-01-01T00:00:00.001Z",
     "updated_at": "9999-12-31T23:59:59.999Z", "item": "{}"},
    {"email": "last@example.com", "lead_score": 5, "pipeline_stage": "new", "created_at": "9999-12-31T23:59:59.999Z",
     "updated_at": "0001-01-01T00:00:00Z"}
  ]'),
  2, 'requests, a score and leads demo'
);
select act_as('dba');
select is_empty('select * from test.wrong_item', 'set it too');

-- A later trigger could change a column after the text was made.
select is_empty(
  $$
    select t.tgname
    from pg_trigger as t
    where t.tgrelid = 'app.lead'::regclass and t.tgtype & 3 = 3 and t.tgname > '_500_stamp'
  $$,
  'no trigger before the row changes comes later'
);

select * from finish();
rollback;
