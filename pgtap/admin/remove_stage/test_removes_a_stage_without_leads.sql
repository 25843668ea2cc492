begin;
select plan(3);

select act_as('operator');
select admin.remove_stage(organization('alice'), 'lost');
select is(
  (select array_agg(s.name order by s.position) from admin.stages(organization('alice')) as s),
  array['new', 'contacted', 'qualified', 'proposal', 'won'],
  'the stage is removed'
);
select is((select count(*) from admin.stages(organization('bob'))), 6::bigint, 'bob''s stages are unchanged');
select throws_ok(
  $$select admin.remove_stage(organization('alice'), 'lost')$$, 'PT404', 'stage_not_found', 'a stage that doesn''t exist'
);

select * from finish();
rollback;
