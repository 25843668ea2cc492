begin;
select plan(2);

insert into app.lead (id, organization_id, email) values (
  '00000000-0000-7000-8000-000000000001', organization('alice'), 'ada@example.com'
);
delete from app.lead;
select is(
  (select e.payload::jsonb from audit.event as e where e.action = 'lead.deleted'),
  jsonb_build_object('key_id', null, 'role', session_user) || jsonb '{
    "lead_id": "00000000-0000-7000-8000-000000000001",
    "diff": {
      "email": {"from": "ada@example.com", "to": null}, "lead_score": {"from": 0, "to": null},
      "pipeline_stage": {"from": "new", "to": null}
    }
  }',
  'the fields that had a value'
);
select is(
  (
    select array_agg(e.action order by e.id)
    from audit.event as e
    where e.lead_id = '00000000-0000-7000-8000-000000000001'
  ),
  array['lead.created', 'lead.deleted'],
  'all events of the lead are kept'
);

select * from finish();
rollback;
