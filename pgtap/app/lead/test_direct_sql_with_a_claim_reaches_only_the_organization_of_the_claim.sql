begin;
select plan(13);

select act_as('alice');
select made_lead('{"email": "alice@example.com"}');
select act_as('bob');
select made_lead('{"email": "bob@example.com"}');

select act_inside('alice', 'write');
select results_eq('select l.email from app.lead as l', array['alice@example.com'], 'alice sees her own lead');
select results_eq(
  $$with changed as (update app.lead set name = 'x' returning email) select c.email from changed as c$$,
  array['alice@example.com'],
  'and changes it'
);
select throws_ok(
  format($$insert into app.lead (organization_id, email) values (%L, 'eve@example.com')$$, organization('bob')),
  '42501', 'new row violates row-level security policy for table "lead"', 'and can''t create a lead for bob'
);
select lives_ok(
  format($$insert into app.lead (organization_id, email) values (%L, 'eve@example.com')$$, organization('alice')),
  'but for her own organization'
);
select throws_ok('delete from app.lead', '42501', 'permission denied for table lead', 'and can''t delete leads');
select throws_ok(
  'update app.lead set revision = 1', '42501', 'permission denied for table lead', 'or set the revision'
);
select throws_ok(
  'update app.lead set created_at = now()', '42501', 'permission denied for table lead', 'or the times'
);

select act_inside('alice', 'read');
select results_eq('select count(*) from app.lead as l', array[2::bigint], 'the scope read shows her leads');
select is_empty($$update app.lead set name = 'y' returning id$$, 'and changes none');
select is_empty($$select l.id from app.lead as l for no key update$$, 'or locks one');
select throws_ok(
  format($$insert into app.lead (organization_id, email) values (%L, 'eve@example.com')$$, organization('alice')),
  '42501', 'new row violates row-level security policy for table "lead"', 'or creates one'
);

select act_inside('stranger');
select is_empty('select l.id from app.lead as l', 'without a claim no lead is visible');
set local row_security = off;
select throws_ok(
  'select l.id from app.lead as l', '42501', 'query would be affected by row-level security policy for table "lead"',
  'nor with row_security off'
);

select * from finish();
rollback;
