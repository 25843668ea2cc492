begin;
select plan(3);

select act_as('stranger');
select throws_ok($$call api.document('api.get_lead', tag => 'Leads')$$, '42501');
select act_inside('alice');
select throws_ok($$call api.document('api.get_lead', tag => 'Leads')$$, '42501');
select act_as('migrator');
set local role leads_owner;
select lives_ok($$call api.document('api.get_lead', tag => 'Leads')$$);

select * from finish();
rollback;
