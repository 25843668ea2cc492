begin;
select plan(3);

select act_as('alice');
select made_lead('{"email": "ada@example.com"}');
select is(
  (api.get_lead(lead('ada@example.com'))).body::json ->> 'qualification_completed_at', null, 'not yet'
);
select keep('1', api.update_lead(lead('ada@example.com'), '{"pipeline_stage": "qualified"}'));
select is(
  (api.get_lead(lead('ada@example.com'))).body::json ->> 'qualification_completed_at',
  (kept('1')).body::json ->> 'updated_at', 'at the time of the change'
);

-- an hour passes
select act_as('dba');
alter table app.lead disable trigger _500_stamp;
update app.lead set
  created_at = created_at - interval '1 hour',
  updated_at = updated_at - interval '1 hour',
  qualification_completed_at = qualification_completed_at - interval '1 hour';
alter table app.lead enable trigger _500_stamp;

select act_as('alice');
select keep('2', api.update_lead(lead('ada@example.com'), '{"pipeline_stage": "new"}'));
select keep('3', api.update_lead(lead('ada@example.com'), '{"pipeline_stage": "qualified"}'));
select act_as('dba');
select is(
  (select l.qualification_completed_at from app.lead as l), date_trunc('milliseconds', now()) - interval '1 hour',
  'leaving the stage and coming back does not change it'
);

select * from finish();
rollback;
