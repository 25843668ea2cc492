begin;
select plan(3);

select act_as('operator');
select admin.add_stage(organization('alice'), 'nurtured');
select is(
  (select array_agg(s.name order by s.position) from admin.stages(organization('alice')) as s),
  array['new', 'contacted', 'qualified', 'proposal', 'won', 'lost', 'nurtured'],
  'it is alice''s last stage'
);
select is((select count(*) from admin.stages(organization('bob'))), 6::bigint, 'bob hasn''t');
select act_as('alice');
select is(
  (api.create_lead('{"email": "ada@example.com", "pipeline_stage": "nurtured"}')).status, 201, 'a lead can have the new stage'
);

select * from finish();
rollback;
